import { describe, expect, it } from "@jest/globals";
import { locateGuest } from "./locate.ts";
import { resolveNamespacePath } from "./membership.ts";
import { HostTree, MOUNTINFO_V1, MOUNTINFO_V2, type TreeThread } from "./testing/host-tree.ts";

const guest = {
  pid: 100,
  vcpus: [
    { index: 0, tid: 103 },
    { index: 1, tid: 104 },
  ],
  ioThreads: [{ id: 1, tid: 102 }],
};

const init: TreeThread = { pid: 1, tid: 1, groups: {} };

const v1 = (tid: number, path: string, pid = 100): TreeThread => ({
  pid,
  tid,
  groups: { cpu: path, cpuset: path },
});
const v2 = (tid: number, path: string, pid = 100): TreeThread => ({ pid, tid, groups: { "": path } });

const libvirtV1 = "/machine/qemu-1-web.libvirt-qemu";
const libvirtV1Threads = [
  init,
  v1(100, `${libvirtV1}/emulator`),
  v1(101, `${libvirtV1}/emulator`),
  v1(102, `${libvirtV1}/iothread1`),
  v1(103, `${libvirtV1}/vcpu0`),
  v1(105, `${libvirtV1}/vcpu0`),
  v1(104, `${libvirtV1}/vcpu1`),
];

describe("groups of a guest", () => {
  it("finds libvirt's groups on v1, `worker` threads in a vCPU's group included", () => {
    using tree = new HostTree(MOUNTINFO_V1);
    tree.place(libvirtV1Threads);
    const at = (path: string): string => tree.group(`cpu${libvirtV1}${path}`);
    expect(locateGuest(guest, tree.roots)?.cpu).toEqual({
      version: 1,
      mountPoint: tree.group("cpu"),
      guest: at(""),
      vcpus: new Map([
        [0, at("/vcpu0")],
        [1, at("/vcpu1")],
      ]),
      emulator: at("/emulator"),
      ioThreads: new Map([[1, at("/iothread1")]]),
    });
  });

  it("finds the scope and libvirt's level below it on v2", () => {
    using tree = new HostTree(MOUNTINFO_V2);
    const scope = String.raw`/machine.slice/machine-qemu\x2d1\x2dweb.scope`;
    const below = `${scope}/libvirt`;
    tree.place([
      init,
      v2(100, `${below}/emulator`),
      v2(102, `${below}/iothread1`),
      v2(103, `${below}/vcpu0`),
      v2(104, `${below}/vcpu1`),
    ]);
    tree.write(`sys/fs/cgroup${scope}/cgroup.procs`, "100\n");
    const cpu = locateGuest(guest, tree.roots)?.cpu;
    expect(cpu).toMatchObject({ version: 2, guest: tree.group(scope), nested: tree.group(below) });
    expect(cpu?.vcpus.get(1)).toBe(tree.group(`${below}/vcpu1`));
    expect(cpu?.emulator).toBe(tree.group(`${below}/emulator`));
  });

  it("finds Proxmox's one scope, without groups of vCPUs", () => {
    using tree = new HostTree(MOUNTINFO_V2);
    tree.place([init, ...[100, 102, 103, 104].map((tid) => v2(tid, "/qemu.slice/100.scope"))]);
    expect(locateGuest(guest, tree.roots)?.cpu).toEqual({
      version: 2,
      mountPoint: tree.group("").replace(/\/$/, ""),
      guest: tree.group("qemu.slice/100.scope"),
      vcpus: new Map(),
      ioThreads: new Map(),
    });
  });

  it("leaves a bare QEMU's shared group alone", () => {
    using tree = new HostTree(MOUNTINFO_V1);
    tree.place([init, v1(900, "/shell", 900), ...[100, 102, 103, 104].map((tid) => v1(tid, "/shell"))]);
    expect(locateGuest(guest, tree.roots)).toBeUndefined();
  });

  it("never takes the root group, even when the guest is alone in it", () => {
    using tree = new HostTree(MOUNTINFO_V1);
    tree.place([100, 102, 103, 104].map((tid) => v1(tid, "/")));
    expect(locateGuest(guest, tree.roots)).toBeUndefined();
  });

  it("gives up a group that a stranger joined, and what lies above it", () => {
    using tree = new HostTree(MOUNTINFO_V1);
    tree.place([...libvirtV1Threads, v1(900, `${libvirtV1}/vcpu1`, 900)]);
    const cpu = locateGuest(guest, tree.roots)?.cpu;
    expect(cpu?.guest).toBeUndefined();
    expect([...(cpu?.vcpus.keys() ?? [])]).toEqual([0]);
  });

  it("takes the kernel's helper threads of old kernels for the guest's own, and no process of that name", () => {
    using tree = new HostTree(MOUNTINFO_V1);
    const helper = { ...v1(900, `${libvirtV1}/emulator`, 900), comm: "vhost-100", kernelThread: true };
    tree.place([...libvirtV1Threads, helper]);
    expect(locateGuest(guest, tree.roots)?.cpu?.emulator).toBeDefined();
    tree.place([...libvirtV1Threads, { ...helper, kernelThread: false }]);
    expect(locateGuest(guest, tree.roots)?.cpu?.emulator).toBeUndefined();
  });

  it("does not take a group that two vCPUs share for either of them", () => {
    using tree = new HostTree(MOUNTINFO_V1);
    tree.place([
      init,
      v1(100, "/g/emulator"),
      v1(102, "/g/emulator"),
      v1(103, "/g/vcpus"),
      v1(104, "/g/vcpus"),
    ]);
    const cpu = locateGuest(guest, tree.roots)?.cpu;
    expect(cpu?.vcpus.size).toBe(0);
    expect(cpu?.guest).toBe(tree.group("cpu/g"));
  });

  it("says undefined for a guest that is gone", () => {
    using tree = new HostTree(MOUNTINFO_V1);
    expect(locateGuest(guest, tree.roots)).toBeUndefined();
  });

  it("resolves a private cgroup namespace through process 1", () => {
    const scope = "/machine.slice/machine-a.scope/libvirt";
    using tree = new HostTree(MOUNTINFO_V2.replace(" / /sys", " /../.. /sys"));
    const shown = (tid: number, path: string): TreeThread => ({
      ...v2(tid, path),
      shown: { "": `/../..${path}` },
    });
    tree.place([
      { pid: 1, tid: 1, groups: {}, shown: { "": "/../../init.scope" } },
      shown(100, `${scope}/emulator`),
      shown(102, `${scope}/emulator`),
      shown(103, `${scope}/vcpu0`),
      shown(104, `${scope}/vcpu1`),
    ]);
    expect(locateGuest(guest, tree.roots)?.cpu?.vcpus.get(0)).toBe(tree.group(`${scope}/vcpu0`));
  });
});

describe("paths in a private cgroup namespace", () => {
  it.each([
    ["/../../machine/a", "/../../init.scope", "/machine/a"],
    ["/../..", "/../..", "/"],
    ["/machine/a", "/init.scope", "/machine/a"],
    ["/../a", "/../../init.scope", undefined],
    ["/a", "/../..", undefined],
  ])("%s beside process 1 in %s is %s", (path, initPath, expected) => {
    expect(resolveNamespacePath(path, initPath)).toBe(expected);
  });
});
