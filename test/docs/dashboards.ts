/** Part of `npm run docs`: writes deploy/grafana/dashboards from deploy/grafana/source. */
import { writeFile } from "node:fs/promises";
import { dashboards } from "../../deploy/grafana/source/index.ts";
import { dashboardFile, dashboardText } from "./dashboard-files.ts";

for (const [name, dashboard] of Object.entries(dashboards)) {
  await writeFile(dashboardFile(name), await dashboardText(dashboard));
  process.stdout.write(`${name}.json: ${dashboard.panels.length} panels\n`);
}
