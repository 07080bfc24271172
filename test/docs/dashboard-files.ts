/** Dashboards as files: the same text for the same source, formatted as everything else. */
import { format, resolveConfig } from "prettier";
import type { Dashboard } from "../../deploy/grafana/source/model.ts";
import { repository } from "../support/deployed.ts";

export function dashboardFile(name: string): string {
  return `${repository}deploy/grafana/dashboards/${name}.json`;
}

export async function dashboardText(dashboard: Dashboard): Promise<string> {
  const file = dashboardFile("any");
  return format(JSON.stringify(dashboard), { ...(await resolveConfig(file)), filepath: file });
}
