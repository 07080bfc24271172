/** The dashboards by the name of their file in deploy/grafana/dashboards (`npm run docs` writes them). */
import { fleet } from "./fleet.ts";
import { guest } from "./guest.ts";
import { host } from "./host.ts";
import type { Dashboard } from "./model.ts";

export const dashboards: Readonly<Record<string, Dashboard>> = { fleet, host, guest };
