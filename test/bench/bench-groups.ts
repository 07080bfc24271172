/** Control groups for threads that stand in for vCPUs, so that a tick has a cpu.stat to read for each. */
import { mkdirSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readCgroupMounts } from "@kvm-governor/linux";

export interface BenchGroups {
  /** How many threads have a group of their own. */
  count: number;
  remove: () => void;
}

/**
 * A group for each thread, on cgroup v1 and as root. Elsewhere none: the benchmark then reports 0 such files, and its
 * ticks are that much cheaper.
 */
export function groupEach(tids: readonly number[]): BenchGroups {
  const mount = readCgroupMounts().get("cpu");
  if (mount === undefined || mount.version !== 1 || mount.readOnly || process.getuid?.() !== 0) {
    return { count: 0, remove: () => undefined };
  }
  const top = join(mount.mountPoint, `kvmgov-bench-${process.pid}`);
  const dirs = tids.map((tid) => join(top, `vcpu${tid}`));
  mkdirSync(top);
  for (const [at, dir] of dirs.entries()) {
    mkdirSync(dir);
    writeFileSync(join(dir, "tasks"), String(tids[at]));
  }
  return {
    count: dirs.length,
    remove: () => {
      for (const dir of dirs) rmdirSync(dir);
      rmdirSync(top);
    },
  };
}
