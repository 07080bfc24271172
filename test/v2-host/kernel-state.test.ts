import { expect, test } from "@jest/globals";
import { parseKernelState } from "./kernel-state.ts";

test("files, affinities and properties of units are told apart, to the byte", () => {
  const text = [
    "==> /sys/fs/cgroup/a.scope/cpu.max <==\nmax 100000\n",
    "==> /sys/fs/cgroup/a.scope/cpuset.cpus <==\n\n",
    "==> /run/systemd/transient/a.scope.d/50-CPUWeight.conf <==\n[Scope]\nCPUWeight=\n",
    "==> /dev/null <==\n==> affinities <==\n/proc/7/task/8/status:Cpus_allowed_list:\t0-1\n",
    "==> systemd <==\nId=a\\x2d1.scope\nCPUWeight=[not set]\n\nId=b.scope\nCPUWeight=7\n",
  ].join("\n");
  expect(parseKernelState(text)).toEqual({
    "/sys/fs/cgroup/a.scope/cpu.max": "max 100000\n",
    "/sys/fs/cgroup/a.scope/cpuset.cpus": "\n",
    "/run/systemd/transient/a.scope.d/50-CPUWeight.conf": "[Scope]\nCPUWeight=\n",
    "affinity 8": "0-1",
    "systemd a\\x2d1.scope CPUWeight": "[not set]",
    "systemd b.scope CPUWeight": "7",
  });
});
