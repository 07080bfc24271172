/** What this kernel offers to a governor, as named in the host message: `perf`, `psi`, `cpu.idle`, `burst`. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { CgroupMounts } from "../cgroup/mounts.ts";
import { isVanished } from "../proc/read.ts";

export interface CapabilityFacts {
  hasPerf: boolean;
  hasPsi: boolean;
  mounts: CgroupMounts;
}

export function capabilitiesOf({ hasPerf, hasPsi, mounts }: CapabilityFacts): string[] {
  const cpu = mounts.get("cpu");
  // The root group lacks these files: any group below it shows whether the kernel has them.
  const group = cpu && firstGroup(cpu.mountPoint);
  const has = (file: string): boolean => group !== undefined && existsSync(join(group, file));
  return [
    ...(hasPerf ? ["perf"] : []),
    ...(hasPsi ? ["psi"] : []),
    ...(has("cpu.idle") ? ["cpu.idle"] : []),
    ...(has(cpu?.version === 1 ? "cpu.cfs_burst_us" : "cpu.max.burst") ? ["burst"] : []),
  ];
}

/** Version of the control groups that hold the `cpu` controller; 0: it is mounted nowhere. */
export function cgroupVersionOf(mounts: CgroupMounts): 0 | 1 | 2 {
  return mounts.get("cpu")?.version ?? 0;
}

function firstGroup(mountPoint: string): string | undefined {
  try {
    const entry = readdirSync(mountPoint, { withFileTypes: true }).find((each) => each.isDirectory());
    return entry && join(mountPoint, entry.name);
  } catch (error) {
    if (isVanished(error)) return undefined;
    throw error;
  }
}
