import { expect, it } from "@jest/globals";
import { KernelIo, readCgroupMounts, type Guest } from "@kvm-governor/linux";
import { TRACING_OFF } from "@kvm-governor/service-kit";
import { HostTree, MOUNTINFO_V1 } from "../../../test/support/linux-testing.ts";
import { onCpu0 } from "../../../test/support/sleeping-guest.ts";
import { GovernedGuest } from "./governed-guest.ts";
import { limitsSchema } from "./limits/index.ts";

const GUEST = "/machine/qemu-1-web.libvirt-qemu";
/** Files of a group that are looked at, with what they say. */
const FILES = {
  cpu: { "cpu.cfs_quota_us": "-1", "cpu.cfs_period_us": "100000", "cpu.shares": "1024" },
  cpuset: { "cpuset.cpus": "0-1", "cpuset.effective_cpus": "0-1" },
};

/** A guest with one vCPU as libvirt lays it out on v1, as plain files. */
function libvirtGuest(tree: HostTree): Guest {
  const at = (part: string): Record<string, string> => ({
    cpu: `${GUEST}/${part}`,
    cpuset: `${GUEST}/${part}`,
  });
  tree.place([
    { pid: 1, tid: 1, groups: { cpu: "/", cpuset: "/" } },
    { pid: 100, tid: 100, groups: at("emulator") },
    { pid: 100, tid: 101, groups: at("vcpu0") },
  ]);
  for (const [controller, files] of Object.entries(FILES)) {
    for (const part of ["", "/vcpu0", "/emulator"]) {
      for (const [file, text] of Object.entries(files)) {
        tree.write(`sys/fs/cgroup/${controller}${GUEST}${part}/${file}`, `${text}\n`);
      }
    }
  }
  const vcpus = [{ index: 0, tid: 101 }];
  const common = { uuid: "u-1", name: "web", source: "libvirt", state: "running" } as const;
  return { ...common, pid: 100, startTime: 1, vcpus, ioThreads: [], emulatorTids: [100] };
}

it("knows what is open for it after it changed and was only looked at, as in a dry run", async () => {
  using tree = new HostTree(MOUNTINFO_V1);
  const guest = libvirtGuest(tree);
  const io = new KernelIo("read");
  const limits = limitsSchema.parse({});
  const mounts = readCgroupMounts(tree.roots);
  const governed = new GovernedGuest(guest, {
    ...{ io, roots: tree.roots, mounts, bootId: "boot-1", hasSystemd: false },
    limits: () => limits,
    onlineCpus: () => [0, 1],
    nowMs: () => 0,
    onDrift: () => "reassert",
  });
  const tick = { generation: 1, turn: { turn: 0, turns: 1 }, tracing: TRACING_OFF };
  const outcome = await governed.apply(onCpu0(guest), tick, () => undefined);
  expect(outcome.writes.map(({ setting }) => setting)).toEqual(["cpus"]);
  expect(io.openCount).toBe(8);
  governed.refresh({ ...guest });
  io.forget(governed.dirs);
  expect(io.openCount).toBe(0);
});
