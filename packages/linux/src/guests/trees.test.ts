/** Discovery over whole hosts: test/trees, captured and made by hand. */
import { cpSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { guestSampleSchema } from "@kvm-governor/policy";
import { readBootId } from "../host/facts.ts";
import { HostReader } from "../host/reader.ts";
import type { GuestInventory } from "./guest.ts";
import { GuestWatcher } from "./watcher.ts";

const TREES = fileURLToPath(new URL("../../../../test/trees", import.meta.url));
const names = readdirSync(TREES, { withFileTypes: true })
  .filter((each) => each.isDirectory())
  .map((each) => each.name);

const discovered = new Map<string, GuestInventory>();
let copies = "";

beforeAll(() => {
  copies = mkdtempSync(join(tmpdir(), "kvmgov-trees-"));
  for (const name of names) {
    const root = join(copies, name);
    cpSync(join(TREES, name), root, { recursive: true, verbatimSymlinks: true });
    let nowUs = 10_000_000_000;
    const dirs = {
      procRoot: join(root, "proc"),
      sysRoot: join(root, "sys"),
      libvirtRunDir: join(root, "run/libvirt/qemu"),
    };
    using watcher = new GuestWatcher({ ...dirs, nowUs: () => nowUs });
    watcher.refresh();
    nowUs += 3_000_000;
    watcher.refresh();
    discovered.set(name, watcher.inventory);
  }
});
afterAll(() => rmSync(copies, { recursive: true }));

/** What matters of each guest, in one line. */
function summary(tree: string): Record<string, string> {
  const inventory = discovered.get(tree) ?? { guests: [], unreadable: [] };
  const guests = inventory.guests.map((guest) => {
    const cpus = guest.allowedCpus === undefined ? "" : ` on ${guest.allowedCpus.join(",")}`;
    const threads = `${guest.vcpus.length}+${guest.ioThreads.length}+${guest.emulatorTids.length}`;
    return [
      guest.name,
      `${guest.source} ${guest.state} ${threads}${cpus} ${guest.exemptReason ?? ""}`.trim(),
    ];
  });
  const unreadable = inventory.unreadable.map((each) => [
    each.name,
    `unreadable: ${each.reason.slice(0, 40)}`,
  ]);
  return Object.fromEntries([...guests, ...unreadable]) as Record<string, string>;
}

describe.each(names)("%s", (name) => {
  it("holds guests, each as the sample contract wants them", () => {
    const guests = discovered.get(name)?.guests ?? [];
    expect(guests.length).toBeGreaterThan(0);
    for (const guest of guests) {
      const vcpus = guest.vcpus.map(({ index }) => ({ index, run: 0, delay: 0 }));
      const sample = { ...guest, vcpus, declared: { class: "auto" }, otherRun: 0 };
      expect(guestSampleSchema.safeParse(sample).error).toBeUndefined();
    }
  });

  it("counts every thread once", () => {
    for (const guest of discovered.get(name)?.guests ?? []) {
      const tids = [...guest.vcpus, ...guest.ioThreads].map((each) => each.tid).concat(guest.emulatorTids);
      const all = readdirSync(join(copies, name, "proc", String(guest.pid), "task")).map(Number);
      expect(tids.sort((a, b) => a - b)).toEqual(all.sort((a, b) => a - b));
    }
  });

  it("gives the host's own figures", () => {
    using host = new HostReader(join(copies, name, "proc"));
    expect(host.cpuTimes().length).toBeGreaterThan(0);
    expect(host.pressure()?.someUs).toBeGreaterThan(0);
    expect(readBootId(join(copies, name, "proc"))).toMatch(/^0000/);
  });
});

describe("what is found", () => {
  it("on Debian 12 with cgroup v1 (captured)", () => {
    expect(summary("debian12-v1")).toEqual({
      web: "libvirt running 1+0+4",
      hpc: "libvirt running 2+1+4",
      nfv: "libvirt running 1+0+4 on 1 dedicated",
      'a:b,c="d"': "libvirt running 1+0+4",
      bare: "qemu running 2+1+3",
      pm: "qemu running 1+0+2 cpu-pm",
      off: "unreadable: no thread is named as a vCPU: QEMU runs ",
    });
    const web = discovered.get("debian12-v1")?.guests.find((guest) => guest.name === "web");
    expect(web?.metadata).toEqual({ class: "service", slaCores: 0.9, source: "metadata" });
    expect(web?.configured).toMatchObject({
      shares: 2048,
      vcpuPeriodUs: 100000,
      vcpuQuotaUs: 50000,
      emulatorPin: [1],
    });
  });

  it("on Debian 12 with cgroup v2 under systemd", () => {
    expect(summary("debian12-v2-systemd")).toEqual({
      "web-1": "libvirt running 2+0+4",
      hpc: "libvirt running 8+2+4 on 0,1,2,4,5,6,7,8,9,10,11",
      moving: "libvirt migrating 1+0+4",
      "auto-numa": "libvirt paused 2+0+4 on 8,9,10,11,12,13,14,15",
      crashed: "unreadable: libvirt's status file names process 2999",
    });
    const hpc = discovered.get("debian12-v2-systemd")?.guests.find((guest) => guest.name === "hpc");
    expect(hpc?.vcpus[0]).toEqual({ index: 0, tid: 2210, allowedCpus: [4] });
    expect(hpc?.configured?.ioThreadPins.get(2)).toEqual([15]);
  });

  it("on Proxmox", () => {
    expect(summary("proxmox8")).toEqual({
      web: "qemu running 2+0+3",
      hpc: "qemu running 4+0+3 on 8,9,10,11",
      "idle-poll": "qemu running 2+0+3 cpu-pm",
      pinned: "qemu running 1+0+3 on 12 dedicated",
      old: "unreadable: no thread is named as a vCPU: QEMU runs ",
    });
    const guests = discovered.get("proxmox8")?.guests;
    expect(guests?.find((guest) => guest.name === "web")?.uuid).toBe("00000000-0000-4000-8000-000000000021");
    expect(guests?.find((guest) => guest.name === "pinned")?.uuid).toMatch(/^........-....-5/);
  });

  it("on oVirt", () => {
    expect(summary("ovirt45")).toEqual({
      app: "libvirt running 2+0+2",
      "high-performance": "libvirt running 4+1+2 on 2,3,6,7 dedicated",
      realtime: "libvirt running 2+0+2 on 4,5 realtime",
    });
  });
});
