import { describe, expect, it } from "@jest/globals";
import { FakeHost, fakeGuest } from "./testing/fake-host.ts";

/** Guest 10 with a vCPU; its process clock is `cpuNs`. */
function quietGuest(host: FakeHost) {
  const clock = { cpuNs: 500 as number | undefined, calls: 0 };
  const processCpuNs = (): number | undefined => (clock.calls++, clock.cpuNs);
  const { guests } = host.sampler({ ...host.context(), processCpuNs });
  host.setThread(10, 10, { runNs: 300 });
  host.setThread(10, 11, { runNs: 200 });
  const inventory = { guests: [fakeGuest({ pid: 10 })], unreadable: [] };
  const tick = (): number | undefined => {
    host.nowMs += 1000;
    const [counters] = guests.read(inventory).readable;
    counters?.mark();
    return counters?.vcpus[0]?.runNs.value;
  };
  return { clock, tick };
}

describe("a guest whose process got no CPU", () => {
  it("is not read thread by thread, until its clock moves", () => {
    using host = new FakeHost();
    const { clock, tick } = quietGuest(host);
    // Busy at first sight, still in the second tick, something to compare with in the third.
    expect([tick(), tick(), tick()]).toEqual([200, 200, 200]);
    host.setThread(10, 11, { runNs: 201 });
    expect([tick(), tick()]).toEqual([200, 200]);
    clock.cpuNs = 501;
    expect(tick()).toBe(201);
    host.setThread(10, 11, { runNs: 900 });
    // It was busy: it is read without being asked about.
    expect(tick()).toBe(900);
  });

  it("is read where its process is gone: its end must be seen", () => {
    using host = new FakeHost();
    const { clock, tick } = quietGuest(host);
    for (let at = 0; at < 4; at++) tick();
    clock.cpuNs = undefined;
    host.removeProcess(10);
    expect(tick()).toBeUndefined();
  });

  it("is read where other threads are counted from now on", () => {
    using host = new FakeHost();
    const { guests } = host.sampler({ ...host.context(), processCpuNs: () => 500 });
    host.setThread(10, 10);
    host.setThread(10, 11, { runNs: 200 });
    const before = { guests: [fakeGuest({ pid: 10 })], unreadable: [] };
    for (let at = 0; at < 4; at++) guests.read(before);
    host.setThread(10, 12, { runNs: 70 });
    const [counters] = guests.read({ guests: [fakeGuest({ pid: 10 }, 2)], unreadable: [] }).readable;
    expect(counters?.vcpus.map(({ runNs }) => runNs.value)).toEqual([200, 70]);
  });
});

/** Guest 10 with a vCPU (11) that runs 5 ns a tick, and a main thread (10). */
function guestWithOthers(host: FakeHost) {
  const ran = { vcpu: 200, main: 300, goneBefore: 40 };
  const processCpuNs = (): number => ran.vcpu + ran.main + ran.goneBefore;
  const { guests } = host.sampler({ ...host.context(), processCpuNs });
  const guest = fakeGuest({ pid: 10 });
  host.setThread(10, 10, { runNs: ran.main });
  /** What the main thread is known to have run. */
  const tick = (of = guest): number | undefined => {
    host.nowMs += 1000;
    host.setThread(10, 11, { runNs: (ran.vcpu += 5) });
    const [counters] = guests.read({ guests: [of], unreadable: [] }).readable;
    counters?.mark();
    return counters?.emulator.runNs.value;
  };
  return { ran, tick };
}

describe("threads beside vCPUs that run", () => {
  it("are not read while the process's clock moves by what the vCPUs ran, and are as soon as it moves by more", () => {
    using host = new FakeHost();
    const { ran, tick } = guestWithOthers(host);
    expect([tick(), tick(), tick()]).toEqual([300, 300, 300]);
    // The kernel's file says more, its clock does not: so it was not read.
    host.setThread(10, 10, { runNs: 301 });
    expect([tick(), tick()]).toEqual([300, 300]);
    ran.main = 302;
    host.setThread(10, 10, { runNs: ran.main });
    expect(tick()).toBe(302);
    // They ran: they are read without being asked about.
    host.setThread(10, 10, { runNs: 303 });
    expect(tick()).toBe(303);
  });

  it("are read where other threads are counted from now on", () => {
    using host = new FakeHost();
    const { tick } = guestWithOthers(host);
    for (let at = 0; at < 4; at++) tick();
    host.setThread(10, 12, { runNs: 70 });
    expect(tick(fakeGuest({ pid: 10, emulatorTids: [10, 12] }))).toBe(370);
  });
});
