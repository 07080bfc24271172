/** docs/metrics.md as text. */
import { familiesOfServices, type Family } from "./families.ts";

const HEADER = `# Metrics

Generated from the code by \`npm run docs\`; a test fails while this page differs from it.

Each service shows its own at \`/metrics\`. Prometheus adds \`host\`, the host's id, to the series of collectors and actuators (service
discovery, \`/api/v1/prometheus/targets\` of the classifier); the classifier's carry it themselves. \`uuid\` is the guest's; its name is in
\`kvmgov_guest_info\`, and for rules in \`kvmgov_classified_guest_info\`; a host's in \`kvmgov_host_info\`. A guest that is gone leaves the page at the next scrape. What could not be read is absent, not 0.
`;

const FOOTER = `
The classifier also shows prom-client's own families (\`process_*\`, \`nodejs_*\`). Ratios and alerts are made of these by
the rules in \`deploy/prometheus/rules\`.
`;

const UNITS: readonly (readonly [RegExp, string])[] = [
  [/_timestamp_seconds$/, "Unix time in seconds"],
  [/_seconds(_total)?$/, "seconds"],
  [/_bytes(_total)?$/, "bytes"],
  [/_cores$/, "cores"],
  [
    /_(connected|enabled|up|success|available|valid|scientific|guest_held|state|dry_run|oversubscribed|successful)$/,
    "0 or 1",
  ],
  [/_class$/, "0 or 1"],
  [/_info$/, "always 1"],
];

export async function metricsPage(): Promise<string> {
  const sections = [...(await familiesOfServices())].map(
    ([service, families]) => `\n## ${service[0]?.toUpperCase()}${service.slice(1)}\n\n${table(families)}`,
  );
  return HEADER + sections.join("") + FOOTER;
}

function table(families: readonly Family[]): string {
  const rows = families.map(({ name, type, labels, help }) => [
    `\`${name}\``,
    type,
    labels.map((label) => `\`${label}\``).join(", "),
    unitOf(name),
    help.replaceAll("|", "\\|"),
  ]);
  const lines = [["name", "type", "labels", "unit", "meaning"], ["---", "---", "---", "---", "---"], ...rows];
  return lines.map((cells) => `| ${cells.join(" | ")} |\n`).join("");
}

function unitOf(name: string): string {
  return UNITS.find(([ending]) => ending.test(name))?.[1] ?? "count";
}
