/** Whether the configuration in use is the one that was asked for, alike for all services that read it again at SIGHUP. */
import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";

/** Begins with the configuration of the start, which was good. */
export function createReloadMetrics(registry: Registry) {
  const registers = [registry];
  const reloads = new Counter({
    name: "kvmgov_config_reloads_total",
    help: "Reads of the configuration at SIGHUP, by result",
    labelNames: ["result"],
    registers,
  });
  const reloadOk = new Gauge({
    name: "kvmgov_config_last_reload_successful",
    help: "0 while the configuration file is not the one in use because it could not be used",
    registers,
  });
  for (const result of ["ok", "refused"]) reloads.inc({ result }, 0);
  reloadOk.set(1);
  return {
    /** @param isOk whether what was read is in use now */
    reloaded(isOk: boolean): void {
      reloads.inc({ result: isOk ? "ok" : "refused" });
      reloadOk.set(isOk ? 1 : 0);
    },
  };
}
