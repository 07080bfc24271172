/** What a benchmark ran on: part of every report, since a figure without its machine says little. */
import type os from "node:os";

export interface Machine {
  cpu: string;
  cpus: number;
  memoryGb: number;
  kernel: string;
  arch: string;
  node: string;
  /** Load average of the last minute before the report: other work disturbs figures. */
  load1: number;
}

export function machineOf(
  system: Pick<typeof os, "cpus" | "totalmem" | "release" | "arch" | "loadavg">,
): Machine {
  const cpus = system.cpus();
  return {
    cpu: cpus[0]?.model.trim() ?? "unknown",
    cpus: cpus.length,
    memoryGb: Math.round(system.totalmem() / 2 ** 30),
    kernel: system.release(),
    arch: system.arch(),
    node: process.versions.node,
    load1: system.loadavg()[0] ?? 0,
  };
}
