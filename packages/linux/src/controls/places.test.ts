import { expect, test } from "@jest/globals";
import { join } from "node:path";
import { placesOf } from "./places.ts";

const MOUNT = "/sys/fs/cgroup";
const GUEST = { pid: 100, vcpus: [], ioThreads: [], emulatorTids: [100] };

function unitAt(
  path: string,
  { version = 2, hasSystemd = true }: { version?: 1 | 2; hasSystemd?: boolean } = {},
): string | undefined {
  const cpu = {
    version,
    mountPoint: MOUNT,
    guest: join(MOUNT, path),
    vcpus: new Map(),
    ioThreads: new Map(),
  };
  return placesOf(GUEST, { cpu }, { hasSystemd, threadsOf: () => [] }).weight?.unit;
}

test.each([
  ["machine.slice/machine-qemu\\x2d1\\x2dweb.scope", "machine-qemu\\x2d1\\x2dweb.scope"],
  ["qemu.slice/100.scope", "100.scope"],
  ["system.slice/system-vms.slice/a.scope", "a.scope"],
])("%s is a scope of the system's systemd", (path, unit) => {
  expect(unitAt(path)).toBe(unit);
});

test.each([
  // A user may call a unit what the system calls one of its own.
  "user.slice/user-1000.slice/user@1000.service/app.slice/ssh.service",
  "user.slice/user-1000.slice/user@1000.service/app.slice/machine-qemu.scope",
  // A systemd in a container.
  "lxc.payload.web/system.slice/ssh.service",
  "system.slice/docker-0123.scope/system.slice/vm.scope",
  "machine.slice/systemd-nspawn@web.service/payload/machine.slice/vm.scope",
  // Settings of a service outlive its run.
  "system.slice/vm@1.service",
  // Not systemd's.
  "machine/qemu-1-web.libvirt-qemu",
  "vm.scope",
])("%s is written to directly", (path) => {
  expect(unitAt(path)).toBeUndefined();
});

test("without systemd, and on v1, every group is written to directly", () => {
  expect(unitAt("qemu.slice/100.scope", { hasSystemd: false })).toBeUndefined();
  expect(unitAt("qemu.slice/100.scope", { version: 1 })).toBeUndefined();
});
