/** What the kernel has of guests and networks, read without any of our code. */
import { readFileSync } from "node:fs";
import path from "node:path";
import type { Guest } from "@kvm-governor/lab";

/** Of each vCPU, what its control group may use, in cores; Infinity: no limit. */
export function quotasOf({ pid, vcpuTids }: Guest): number[] {
  return vcpuTids.map((tid) => {
    const groups = readFileSync(`/proc/${pid}/task/${tid}/cgroup`, "utf8");
    const group = /^\d+:cpu(?:,cpuacct)?:(.*)$/m.exec(groups)?.[1] ?? "";
    const read = (file: string): number =>
      Number(readFileSync(path.join("/sys/fs/cgroup/cpu", group, file), "utf8"));
    const quotaUs = read("cpu.cfs_quota_us");
    return quotaUs < 0 ? Infinity : quotaUs / read("cpu.cfs_period_us");
  });
}

/** Names of the machine's network devices that are bridges of Docker's: there may be others that come and go. */
export function dockerBridges(): string[] {
  return [...readFileSync("/proc/net/dev", "utf8").matchAll(/^\s*(docker\d+|br-[0-9a-f]{12}):/gm)].map(
    ([, name = ""]) => name,
  );
}
