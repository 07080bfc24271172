/** Which version runs: `kvmgov_build_info`, the same family on the pages of all services. */
import { Gauge } from "prom-client";
import type { Registry } from "prom-client";

/** @param manifest the service's package.json: its name without the scope is label `service` */
export function exposeBuildInfo(
  registry: Registry,
  { name, version }: { readonly name: string; readonly version: string },
): void {
  new Gauge({
    name: "kvmgov_build_info",
    help: "Version of the service and of Node",
    labelNames: ["service", "version", "node"],
    registers: [registry],
  }).set({ service: name.replace(/^.*\//, ""), version, node: process.versions.node }, 1);
}
