/**
 * Takes the screenshots in docs/console/ from a live `kvmgov demo --watch`: `npm run screenshots`. Needs what the demo needs
 * (root, /dev/kvm) and a Chromium (toolbox); takes about four minutes.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import type { Browser, Page } from "playwright-core";
import { startBrowser } from "./browser.ts";

const MAIN = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));
const DIR = fileURLToPath(new URL("../../docs/console/", import.meta.url));
const START_MS_MAX = 180_000;
const ROUND_S = 60;
/** Until the plots tell a story: the guest has moved there and back, and there again. */
const PLAY_MS = 60_000;
const SIZES = { desktop: { width: 1280, height: 800 }, phone: { width: 390, height: 844 } } as const;
/** A guest's page goes on for long; what is below looks like what is above. */
const HEIGHT_MAX = 1500;

const demo = spawn(process.execPath, [MAIN, "demo", "--watch", "--seconds", String(ROUND_S)], {
  stdio: ["ignore", "pipe", "inherit"],
});
try {
  const guest = await address(demo);
  await mkdir(DIR, { recursive: true });
  await sleep(PLAY_MS);
  await using started = await startBrowser();
  const pages = { fleet: guest.replace(/host\/.*/, ""), host: guest.replace(/\/guest\/.*/, ""), guest };
  for (const [size, viewport] of Object.entries(SIZES))
    for (const colorScheme of ["light", "dark"] as const) {
      await untilScientific(started.browser, guest);
      const context = await started.browser.newContext({ viewport, colorScheme });
      for (const [name, url] of Object.entries(pages)) {
        const page = await context.newPage();
        await page.goto(url);
        await shot(page, `${DIR}${name}-${size}-${colorScheme}.png`);
        await page.close();
      }
      await context.close();
    }
} finally {
  demo.kill("SIGINT");
  if (demo.exitCode === null) await once(demo, "exit");
}

/** What the demo prints: the page of its scientific guest. */
async function address(child: ChildProcess): Promise<string> {
  let said = "";
  child.stdout?.on("data", (chunk) => {
    said += String(chunk);
    process.stdout.write(String(chunk));
  });
  const deadline = Date.now() + START_MS_MAX;
  for (;;) {
    const [, url] = /scientific {2}(http\S+)/.exec(said) ?? [];
    if (url !== undefined) return url;
    if (child.exitCode !== null || Date.now() > deadline) throw new Error("the demo printed no address");
    await sleep(100);
  }
}

async function untilScientific(browser: Browser, url: string): Promise<void> {
  const page = await browser.newPage();
  await page.goto(url);
  await page
    .locator("#facts")
    .getByText("LIST_sc", { exact: true })
    .waitFor({ timeout: 2 * ROUND_S * 1000 });
  await page.close();
}

async function shot(page: Page, path: string): Promise<void> {
  await page.locator("#status[data-state=live]").waitFor();
  // Plots are drawn, and figures are of more than one period.
  await sleep(1500);
  const height = await page.evaluate<number>("document.documentElement.scrollHeight");
  const clip = {
    x: 0,
    y: 0,
    width: page.viewportSize()?.width ?? 0,
    height: Math.min(height, HEIGHT_MAX),
  };
  await page.screenshot({ path, fullPage: true, clip });
  console.log(path);
}
