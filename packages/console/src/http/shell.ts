/** The pages as they are before any data: constant text, filled in by the browser code. */
import { fleetBody } from "./shell-fleet.ts";
import { guestBody } from "./shell-guest.ts";
import { hostBody } from "./shell-host.ts";

export type PageName = "fleet" | "host" | "guest";

const BODIES: Record<PageName, { title: string; body: string }> = {
  fleet: { title: "Fleet", body: fleetBody },
  host: { title: "Host", body: hostBody },
  guest: { title: "Guest", body: guestBody },
};

export function pageHtml(page: PageName): string {
  const { title, body } = BODIES[page];
  const plots = page === "guest" ? '<link rel="stylesheet" href="/console/assets/uplot.css">' : "";
  const script = `<script type="module" src="/console/assets/browser/${page}.ts"></script>`;
  return document(title, `${plots}${script}`, body);
}

export function notFoundHtml(): string {
  return document(
    "No such page",
    "",
    `<h1>No such page</h1><p>The address names no page of the console. Host ids hold letters, digits, _ and -; guests are named by their UUID in lower case. <a href="/console/">To the fleet</a></p>`,
  );
}

function document(title: string, head: string, body: string): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${title} · kvm-governor</title>
<link rel="icon" href="/console/assets/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/console/assets/console.css">
${head}
</head>
<body>
<a class="skip" href="#main">Skip to the content</a>
<header class="top">
<a class="brand" href="/console/">kvm-governor</a>
<nav aria-label="Where you are"><ol id="crumbs" class="crumbs"></ol></nav>
<p id="status" class="status" role="status" data-state="wait">Connecting …</p>
</header>
<p id="banner" class="banner" role="alert" hidden></p>
<main id="main" tabindex="-1">
<noscript><p class="banner">The console needs JavaScript. The same facts as JSON: <a href="/api/v1/hosts">/api/v1/hosts</a>; in a terminal: <code>kvmgov top</code>.</p></noscript>
${body}
</main>
<footer class="foot"><p>Read-only. Times are this browser's local time. The same facts: <a href="/api/v1/hosts">JSON</a>, <a href="/metrics">metrics</a>.</p></footer>
</body>
</html>
`;
}
