import { join } from "node:path";
import { utimesSync, writeFileSync } from "node:fs";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { FakeHost, fakeGuest, fakeStatus } from "./testing/fake-host.ts";
import { GuestWatcher } from "./watcher.ts";
import { NO_CHANGES } from "./changes.ts";

const UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";
const OTHER = "00000000-0000-4000-8000-000000000002";
const uuidArgs = (uuid = UUID): { args: string[] } => ({ args: ["-uuid", uuid] });

let host: FakeHost;
let watcher: GuestWatcher;
beforeEach(() => {
  host = new FakeHost();
  watcher = new GuestWatcher(host.options);
});
afterEach(() => {
  watcher.close();
  host[Symbol.dispose]();
});
const names = (): string[] => watcher.inventory.guests.map((guest) => guest.name);

describe("arrival, departure, restart", () => {
  it("sees a bare guest come and go, and nothing in between", () => {
    expect(watcher.refresh()).toEqual(NO_CHANGES);
    host.run(100, fakeGuest(100, "web", { vcpus: 2, ...uuidArgs() }));
    const [arrived] = watcher.refresh().arrived;
    expect(arrived).toEqual({
      uuid: UUID,
      name: "web",
      source: "qemu",
      pid: 100,
      startTime: 90_000,
      state: "running",
      vcpus: [
        { index: 0, tid: 101 },
        { index: 1, tid: 102 },
      ],
      ioThreads: [],
      emulatorTids: [100],
    });
    const { inventory } = watcher;
    host.pass(500);
    expect(watcher.refresh()).toBe(NO_CHANGES);
    expect(watcher.inventory).toBe(inventory);
    host.remove("proc/100");
    expect(watcher.refresh()).toEqual({ ...NO_CHANGES, departed: [arrived] });
    expect(watcher.inventory.guests).toEqual([]);
  });

  it("sees a restart between two looks, also into the same process id", () => {
    host.run(100, fakeGuest(100, "web", uuidArgs()));
    watcher.refresh();
    host.remove("proc/100");
    host.run(200, fakeGuest(200, "web", uuidArgs()));
    expect(watcher.refresh().restarted.map(({ before, now }) => [before.pid, now.pid])).toEqual([[100, 200]]);
    host.run(200, fakeGuest(200, "web", { ...uuidArgs(), startTime: 95_000 }));
    const seen = [watcher.refresh(), watcher.refresh()];
    const times = seen.flatMap((each) => [...each.restarted.map(({ now }) => now), ...each.arrived]);
    expect(times.map((guest) => guest.startTime)).toEqual([95_000]);
  });

  it("sees a process that turns into QEMU after its first sight", () => {
    host.run(100, { ...fakeGuest(100, "web"), exe: "/usr/bin/bash" });
    expect(watcher.refresh().arrived).toEqual([]);
    host.pass(500);
    host.run(100, fakeGuest(100, "web"));
    expect(watcher.refresh().arrived).toHaveLength(1);
  });

  it("sees in time also an old process that turns into QEMU, among hundreds", () => {
    for (let pid = 100; pid < 220; pid++)
      host.run(pid, { args: [], startTime: 1, threads: {}, exe: "/bin/sh" });
    watcher.refresh();
    host.pass(60_000);
    host.run(200, fakeGuest(200, "web"));
    let looks = 0;
    while (watcher.refresh().arrived.length === 0) expect(++looks).toBeLessThanOrEqual(120 / 50);
  });

  it("sees vCPUs plugged and unplugged, states and threads change", () => {
    host.run(100, fakeGuest(100, "web", uuidArgs()));
    watcher.refresh();
    host.thread(100, 150, { comm: "CPU 1/KVM" }, 90_000);
    expect(watcher.refresh().changed[0]?.now.vcpus).toHaveLength(2);
    host.remove("proc/100/task/150");
    expect(watcher.refresh().changed[0]?.now.vcpus).toHaveLength(1);
    host.thread(100, 160, { comm: "worker" }, 90_000);
    expect(watcher.refresh()).toEqual(NO_CHANGES);
    expect(watcher.inventory.guests[0]?.emulatorTids).toEqual([100, 160]);
    host.thread(100, 100, { comm: "qemu-system-x86" }, 90_000, "T");
    host.pass(5000);
    expect(watcher.refresh().changed[0]?.now.state).toBe("paused");
  });
});

describe("what is no guest", () => {
  it.each([
    ["another program", { exe: "/usr/bin/qemu-img" }],
    ["user emulation", { exe: "/usr/bin/qemu-x86_64-static" }],
    ["a zombie", { state: "Z" }],
    ["a QEMU asked for its capabilities", { args: ["-machine", "none"] }],
  ])("%s", (_what, parts) => {
    host.run(100, { ...fakeGuest(100, "web"), ...parts });
    host.pass(60_000);
    watcher.refresh();
    expect(watcher.inventory).toEqual({ guests: [], unreadable: [] });
  });

  it.each([
    "/usr/libexec/qemu-kvm",
    "/usr/bin/kvm",
    "/usr/bin/qemu-system-x86_64 (deleted)",
    "/nix/.qemu-system-aarch64-wrapped",
  ])("but %s is one", (exe) => {
    host.run(100, { ...fakeGuest(100, "web"), exe });
    watcher.refresh();
    expect(names()).toEqual(["web"]);
  });
});

describe("guests that cannot be read", () => {
  const unnamed = (startTime: number) => ({
    args: ["-name", "off", ...uuidArgs().args],
    startTime,
    threads: { 100: { comm: "qemu" } },
  });

  it("reports a guest without thread names, but lets it start first", () => {
    host.run(100, unnamed(100_000));
    expect(watcher.refresh()).toEqual(NO_CHANGES);
    host.pass(1900);
    expect(watcher.refresh()).toEqual(NO_CHANGES);
    host.pass(200);
    expect(watcher.refresh().unreadable).toEqual([
      { uuid: UUID, name: "off", pid: 100, reason: expect.stringContaining("debug-threads=off") },
    ]);
    expect(watcher.refresh().unreadable).toEqual([]);
    expect(watcher.inventory).toMatchObject({ guests: [], unreadable: [{ name: "off" }] });
  });

  it("takes it in as soon as its threads are named", () => {
    host.run(100, unnamed(100_000));
    host.thread(100, 101, { comm: "qemu" }, 100_000);
    watcher.refresh();
    host.pass(300);
    host.thread(100, 101, { comm: "CPU 0/KVM" }, 100_000);
    expect(watcher.refresh().arrived).toHaveLength(1);
  });

  it("does not call it departed while its process lives, and calls it so after", () => {
    host.run(100, fakeGuest(100, "web", uuidArgs()));
    watcher.refresh();
    host.thread(100, 150, { comm: "CPU 0/KVM" }, 90_000);
    expect(watcher.refresh()).toMatchObject({ departed: [], unreadable: [{ uuid: UUID }] });
    host.remove("proc/100");
    expect(watcher.refresh().departed.map((guest) => guest.uuid)).toEqual([UUID]);
  });

  it("goes on where one process holds garbage, and tries it again", () => {
    watcher.refresh();
    host.run(100, fakeGuest(100, "broken", uuidArgs()));
    host.write("proc/100/task/100/stat", "garbage");
    expect(watcher.refresh().unreadable).toMatchObject([{ pid: 100 }]);
    host.run(200, fakeGuest(200, "web", uuidArgs(OTHER)));
    expect(watcher.refresh().arrived.map((guest) => guest.name)).toEqual(["web"]);
    expect(watcher.inventory.unreadable).toEqual([
      { name: "process 100", pid: 100, reason: expect.stringContaining("stat: ") },
    ]);
    host.thread(100, 100, { comm: "qemu" }, 90_000);
    expect(watcher.refresh().arrived.map((guest) => guest.name)).toEqual(["broken"]);
    expect(watcher.inventory.unreadable).toEqual([]);
  });

  const ofOneGuest = [
    "cmdline",
    "exe",
    "task",
    "task/100",
    "task/100/stat",
    "task/101/comm",
    "task/101/status",
    "",
  ];
  it.each(ofOneGuest)("goes on where /proc/PID/%s vanishes before it is read", (file) => {
    host.run(100, fakeGuest(100, "leaving", uuidArgs()));
    host.remove(join("proc/100", file));
    host.run(200, fakeGuest(200, "web", uuidArgs(OTHER)));
    expect(watcher.refresh().arrived.map((guest) => guest.name)).toContain("web");
    host.run(100, fakeGuest(100, "leaving", uuidArgs()));
    host.pass(4000);
    watcher.refresh();
    host.remove(join("proc/100", file));
    host.pass(4000);
    watcher.refresh();
    expect(names()).toContain("web");
  });

  it("reports the younger of two processes with one UUID", () => {
    host.run(100, fakeGuest(100, "copy", { ...uuidArgs(), startTime: 91_000 }));
    host.run(200, fakeGuest(200, "web", uuidArgs()));
    watcher.refresh();
    expect(names()).toEqual(["web"]);
    expect(watcher.inventory.unreadable).toMatchObject([{ name: "copy", pid: 100, uuid: UUID }]);
  });
});

describe("guests of libvirt", () => {
  beforeEach(() => host.run(96, fakeGuest(96, "web", uuidArgs())));

  it("is counted once, by libvirt's name and definition", () => {
    host.status("web", fakeStatus(96, "web&lt;1&gt;", UUID, "<cputune><shares>512</shares></cputune>"));
    watcher.refresh();
    expect(watcher.inventory).toMatchObject({
      guests: [{ name: "web<1>", source: "libvirt", configured: { shares: 512 } }],
      unreadable: [],
    });
  });

  it("sees the definition change", () => {
    host.status("web", fakeStatus(96, "web", UUID));
    watcher.refresh();
    host.status("web", fakeStatus(96, "web", UUID, "<cputune><vcpupin vcpu='0' cpuset='3'/></cputune>"));
    const [change] = watcher.refresh().changed;
    expect(change?.now).toMatchObject({ exemptReason: "dedicated", allowedCpus: [3] });
    const ioPin = "<iothreadpin iothread='1' cpuset='2'/>";
    host.status(
      "web",
      fakeStatus(96, "web", UUID, `<cputune><vcpupin vcpu='0' cpuset='3'/>${ioPin}</cputune>`),
    );
    expect(watcher.refresh().changed).toHaveLength(1);
  });

  it("sees two changes so close that the directory's time is the same after both", () => {
    const now = new Date();
    for (const shares of [512, 256]) {
      host.status("web", fakeStatus(96, "web", UUID, `<cputune><shares>${shares}</shares></cputune>`));
      utimesSync(join(host.root, "run"), now, now);
      watcher.refresh();
      expect(watcher.inventory.guests[0]?.configured?.shares).toBe(shares);
    }
  });

  it("sees in time also a file that was changed without the directory", () => {
    const past = new Date(Date.now() - 60_000);
    host.status("web", fakeStatus(96, "web", UUID));
    utimesSync(join(host.root, "run"), past, past);
    watcher.refresh();
    host.write("run/web.xml", fakeStatus(96, "renamed", UUID));
    watcher.refresh();
    expect(names()).toEqual(["web"]);
    host.pass(5000);
    watcher.refresh();
    expect(names()).toEqual(["renamed"]);
  });

  it.each([
    ["a process that is gone", 999, UUID],
    ["the process of another guest", 96, OTHER],
  ])("reports a file of %s after a while, whatever runs beside it", (_what, pid, uuid) => {
    host.status("old", fakeStatus(pid, "old", uuid));
    expect(watcher.refresh()).toMatchObject({ arrived: [{ source: "qemu" }], unreadable: [] });
    host.pass(2100);
    expect(watcher.refresh().unreadable).toMatchObject([
      { name: "old", uuid, reason: expect.stringContaining(`process ${pid}`) },
    ]);
    host.remove("run/old.xml");
    watcher.refresh();
    expect(watcher.inventory.unreadable).toEqual([]);
  });

  it("does not pass a guest off as bare whose file cannot be read: its operator may have said exempt", () => {
    host.status("web", "<domstatus");
    watcher.refresh();
    expect(watcher.inventory).toMatchObject({
      guests: [],
      unreadable: [{ name: "web", uuid: UUID, pid: 96 }],
    });
    expect(watcher.inventory.unreadable[0]?.reason).toContain("web.xml: is not XML");
    host.status("web", fakeStatus(96, "web", UUID));
    expect(watcher.refresh().arrived).toHaveLength(1);
  });

  it("takes libvirt's word for an emulator of another name", () => {
    host.run(300, { ...fakeGuest(300, "own", uuidArgs(OTHER)), exe: "/opt/vendor/vmm" });
    host.status("own", fakeStatus(300, "own", OTHER));
    watcher.refresh();
    expect(names()).toContain("own");
  });

  it("names a declaration that is wrong", () => {
    const wrong = `<metadata><p:policy xmlns:p="https://kvm-governor.dev/xmlns/policy/1" class="gold"/></metadata>`;
    host.status("web", fakeStatus(96, "web", UUID, wrong));
    watcher.refresh();
    expect(watcher.inventory.guests[0]?.metadata?.class).toBe("exempt");
    expect(watcher.problems).toEqual([expect.stringMatching(/guest "web": metadata policy: class/)]);
  });
});

describe("exemptions and pins of bare guests", () => {
  const pinned = (pid: number, allowed: string, policy = 0) => {
    const guest = fakeGuest(pid, "pinned", uuidArgs());
    return { ...guest, threads: { ...guest.threads, [pid + 1]: { comm: "CPU 0/KVM", allowed, policy } } };
  };

  it.each([
    ["anywhere", "0-63", 0, undefined, undefined],
    ["on two CPUs", "2-3", 0, undefined, [2, 3]],
    ["on one CPU", "5", 0, "dedicated", [5]],
    ["real-time", "0-63", 2, "realtime", undefined],
  ])("%s", (_what, allowed, policy, exemptReason, allowedCpus) => {
    host.run(100, pinned(100, allowed, policy));
    const [guest] = watcher.refresh().arrived;
    expect(guest?.exemptReason).toBe(exemptReason);
    expect(guest?.allowedCpus).toEqual(allowedCpus);
  });

  it("keeps to the affinity of first sight, over its own restart too", () => {
    const options = { ...host.options, firstSightFile: join(host.root, "first-sight.json") };
    host.run(100, fakeGuest(100, "web", uuidArgs()));
    {
      using first = new GuestWatcher(options);
      first.refresh();
      // Our own placement, as it were.
      host.thread(100, 101, { comm: "CPU 0/KVM", allowed: "3" }, 90_000);
      host.pass(10_000);
      first.refresh();
      expect(first.inventory.guests[0]?.exemptReason).toBeUndefined();
    }
    using second = new GuestWatcher(options);
    expect(second.refresh().arrived[0]?.exemptReason).toBeUndefined();
    using forgetful = new GuestWatcher(host.options);
    expect(forgetful.refresh().arrived[0]?.exemptReason).toBe("dedicated");
  });

  it("goes on, and says so, where the file of first sights is damaged or cannot be written", () => {
    host.run(100, fakeGuest(100, "web"));
    writeFileSync(join(host.root, "damaged"), "{");
    using damaged = new GuestWatcher({ ...host.options, firstSightFile: join(host.root, "damaged") });
    expect(damaged.problems).toEqual([expect.stringMatching(/affinity at first sight: .*is not JSON/)]);
    expect(damaged.refresh().arrived).toHaveLength(1);
    using unwritable = new GuestWatcher({ ...host.options, firstSightFile: join(host.root, "damaged/x") });
    expect(unwritable.refresh().arrived).toHaveLength(1);
    expect(unwritable.problems).toEqual([expect.stringContaining("affinity at first sight")]);
  });
});

describe("names and UUIDs", () => {
  it("derives a UUID that a restart keeps and another name does not", () => {
    host.run(100, fakeGuest(100, "a"));
    host.run(200, fakeGuest(200, "b"));
    watcher.refresh();
    const [a, b] = watcher.inventory.guests;
    expect(a?.uuid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    expect(b?.uuid).not.toBe(a?.uuid);
    host.remove("proc/100");
    host.run(300, fakeGuest(300, "a"));
    expect(watcher.refresh().restarted[0]?.now.uuid).toBe(a?.uuid);
  });

  it("takes any name", () => {
    host.run(100, fakeGuest(100, 'a:b,c="d"\n'));
    watcher.refresh();
    expect(names()).toEqual(['a:b,c="d"\n']);
  });

  it("names a guest that has no name after its process", () => {
    host.run(100, { ...fakeGuest(100, "x"), args: [] });
    watcher.refresh();
    expect(names()).toEqual(["qemu-100"]);
  });
});
