import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { checkContract, sampleSchema, type Sample } from "@kvm-governor/policy";
import type { Guest } from "../guests/guest.ts";
import { FakeHost, fakeGuest, type FakeSampler } from "./testing/fake-host.ts";

const SECOND_NS = 1e9;
const auto = () => ({ class: "auto" as const });

/** One second later. */
function next(host: FakeHost, { sampler }: FakeSampler, guests: readonly Guest[]): Sample {
  host.nowMs += 1000;
  const { sample } = sampler.tick({ guests, unreadable: [] }, auto);
  if (sample === undefined) throw new Error("no sample");
  return checkContract(sampleSchema, sample, "sample");
}

function threads(
  host: FakeHost,
  pid: number,
  vcpu: Parameters<FakeHost["setThread"]>[2],
  emulatorNs = 0,
): void {
  host.setThread(pid, pid, { runNs: emulatorNs });
  host.setThread(pid, pid + 1, vcpu);
}

describe("Sampler", () => {
  it("gives deltas since the tick before, in cores", () => {
    using host = new FakeHost();
    const all = host.sampler();
    const guest = fakeGuest({ pid: 10, allowedCpus: [1, 2] });
    threads(host, 10, { runNs: 5 * SECOND_NS, delayNs: SECOND_NS, voluntary: 100, involuntary: 50 }, 7);
    expect(all.sampler.tick({ guests: [guest], unreadable: [] }, auto).sample).toBeUndefined();
    const changed = { runNs: 5.25 * SECOND_NS, delayNs: 1.5 * SECOND_NS, voluntary: 103, involuntary: 54 };
    threads(host, 10, changed, 0.1 * SECOND_NS + 7);
    host.setCpuTimes(4, { busy: 25, idle: 75 });
    host.setPressureUs(400_000);
    const sample = next(host, all, [guest]);
    expect(sample.guests).toEqual([
      {
        uuid: guest.uuid,
        name: "guest-10",
        pid: 10,
        startTime: 1,
        state: "running",
        declared: { class: "auto" },
        allowedCpus: [1, 2],
        vcpus: [{ index: 0, run: 0.25, delay: 0.5, switches: 7, involuntaryPart: 0.571 }],
        otherRun: 0.1,
      },
    ]);
    expect(sample).toMatchObject({ periodMs: 1000, sequence: 2_000_000, cpus: [0, 1, 2, 3], pressure: 0.4 });
    expect(sample.hostRun).toBeCloseTo(1 - 0.35, 9);
  });

  it("tells pins of a vCPU where they are not the guest's, and where memory lies", () => {
    using host = new FakeHost();
    const memoryOf = () => [{ node: 1, share: 1 }];
    const all = host.sampler(undefined, undefined, memoryOf);
    const apart = fakeGuest({ pid: 10, allowedCpus: [1, 2] }, 2);
    const pins = [[1], [1, 2]];
    const guest = {
      ...apart,
      vcpus: apart.vcpus.map((vcpu, i) => ({ ...vcpu, allowedCpus: pins[i] ?? [] })),
    };
    threads(host, 10, {});
    host.setThread(10, 12);
    all.sampler.tick({ guests: [guest], unreadable: [] }, auto);
    const [found] = next(host, all, [guest]).guests;
    expect(found?.vcpus.map(({ allowedCpus }) => allowedCpus)).toEqual([[1], undefined]);
    expect(found).toMatchObject({ allowedCpus: [1, 2], memoryNodes: [{ node: 1, share: 1 }] });
  });

  it("measures the true period of a late tick", () => {
    using host = new FakeHost();
    const all = host.sampler();
    const guest = fakeGuest({ pid: 10 });
    threads(host, 10, {});
    all.sampler.tick({ guests: [guest], unreadable: [] }, auto);
    threads(host, 10, { runNs: SECOND_NS });
    host.nowMs += 3000;
    const sample = next(host, all, [guest]);
    expect([sample.periodMs, sample.guests[0]?.vcpus[0]?.run]).toEqual([4000, 0.25]);
  });

  it("marks a guest that it sees for the first time, and one whose counter went back", () => {
    using host = new FakeHost();
    const all = host.sampler();
    const guest = fakeGuest({ pid: 10 });
    all.sampler.tick({ guests: [], unreadable: [] }, auto);
    threads(host, 10, { runNs: 9 * SECOND_NS });
    expect(next(host, all, [guest]).guests[0]).toMatchObject({ incomplete: true, vcpus: [{ run: 0 }] });
    expect(next(host, all, [guest]).guests[0]?.incomplete).toBeUndefined();
    threads(host, 10, { runNs: 4 * SECOND_NS });
    expect(next(host, all, [guest]).guests[0]?.incomplete).toBe(true);
  });

  it("names a guest whose thread vanished, and drops one whose process did", () => {
    using host = new FakeHost();
    const all = host.sampler();
    const guests = [fakeGuest({ pid: 10 }), fakeGuest({ pid: 20 }), fakeGuest({ pid: 30 })];
    for (const { pid } of guests) threads(host, pid, {});
    all.sampler.tick({ guests, unreadable: [] }, auto);
    host.removeThread(10, 11);
    host.removeProcess(20);
    const sample = next(host, all, guests);
    expect(sample.guests.map(({ pid }) => pid)).toEqual([30]);
    expect(sample.unreadable).toEqual([
      { uuid: guests[0]?.uuid, name: "guest-10", reason: "a thread ended while it was read" },
    ]);
    expect(all.sources.states.get("schedstat")).toMatchObject({ ok: true, failures: 0 });
  });

  it("averages over the whole time of a guest that could not be read for one tick", () => {
    using host = new FakeHost();
    const all = host.sampler();
    const guest = fakeGuest({ pid: 10 });
    threads(host, 10, {});
    all.sampler.tick({ guests: [guest], unreadable: [] }, auto);
    host.removeThread(10, 11);
    expect(next(host, all, [guest]).guests).toEqual([]);
    threads(host, 10, { runNs: SECOND_NS });
    expect(next(host, all, [guest]).guests[0]).toMatchObject({ vcpus: [{ run: 0.5 }] });
  });

  it("reports garbage of one guest as a failure, with the file, and reads the others", () => {
    using host = new FakeHost();
    const all = host.sampler();
    const guests = [fakeGuest({ pid: 10 }), fakeGuest({ pid: 20 })];
    for (const { pid } of guests) threads(host, pid, {});
    writeFileSync(join(host.procRoot, "10/task/11/schedstat"), "nonsense\n");
    all.sampler.tick({ guests, unreadable: [] }, auto);
    const sample = next(host, all, guests);
    expect(sample.guests.map(({ pid }) => pid)).toEqual([20]);
    expect(sample.unreadable[0]?.reason).toMatch(
      /10\/task\/11\/schedstat: expected three numbers, found "nonsense/,
    );
    expect(all.sources.states.get("schedstat")).toMatchObject({ ok: false, failures: 2 });
  });

  it("gives no sample, instead of a host at 0, while /proc/stat cannot be read", () => {
    using host = new FakeHost();
    const all = host.sampler();
    all.sampler.tick({ guests: [], unreadable: [] }, auto);
    writeFileSync(join(host.procRoot, "stat"), "");
    host.nowMs += 1000;
    expect(all.sampler.tick({ guests: [], unreadable: [] }, auto).sample).toBeUndefined();
    expect(all.sources.states.get("stat")?.ok).toBe(false);
    host.setCpuTimes(4, { busy: 10, idle: 90 });
    host.nowMs += 1000;
    expect(all.sampler.tick({ guests: [], unreadable: [] }, auto).sample).toBeUndefined();
    expect(next(host, all, []).hostRun).toBe(0);
  });

  it("goes on without pressure when its file goes away", () => {
    using host = new FakeHost();
    const all = host.sampler();
    all.sampler.tick({ guests: [], unreadable: [] }, auto);
    writeFileSync(join(host.procRoot, "pressure/cpu"), "");
    expect(next(host, all, []).pressure).toBeUndefined();
    expect(all.sources.states.get("pressure")?.ok).toBe(false);
  });

  it("keeps the totals of a vCPU that is unplugged and comes back in another thread", () => {
    using host = new FakeHost();
    const all = host.sampler();
    const two = fakeGuest({ pid: 10 }, 2);
    threads(host, 10, {});
    host.setThread(10, 12, { runNs: 5 * SECOND_NS });
    all.sampler.tick({ guests: [two], unreadable: [] }, auto);
    host.removeThread(10, 12);
    next(host, all, [fakeGuest({ pid: 10 }, 1)]);
    host.setThread(10, 40, { runNs: 2 * SECOND_NS });
    const again = { ...two, vcpus: [...two.vcpus.slice(0, 1), { index: 1, tid: 40 }] };
    expect(next(host, all, [again]).guests[0]?.incomplete).toBe(true);
    const totals = [...(all.guests.last.readable[0]?.allVcpus ?? [])].map(({ runNs }) => runNs.value);
    expect(totals).toEqual([0, 7 * SECOND_NS]);
  });

  it("counts emulator threads that end, and does not take the time of guests on isolated CPUs from the host's", () => {
    using host = new FakeHost(2);
    writeFileSync(join(host.sysRoot, "devices/system/cpu/isolated"), "1\n");
    const all = host.sampler();
    const guest = fakeGuest({ pid: 10, emulatorTids: [10, 15], allowedCpus: [1] });
    threads(host, 10, {});
    host.setThread(10, 15);
    all.sampler.tick({ guests: [guest], unreadable: [] }, auto);
    host.setThread(10, 15, { runNs: 0.25 * SECOND_NS });
    host.setThread(10, 11, { runNs: SECOND_NS });
    host.setCpuTimes(2, { busy: 50, idle: 50 });
    const sample = next(host, all, [guest]);
    expect([sample.cpus, sample.hostRun, sample.guests[0]?.otherRun]).toEqual([[0], 0.5, 0.25]);
    rmSync(join(host.procRoot, "10/task/15"), { recursive: true });
    expect(next(host, all, [guest]).guests[0]?.otherRun).toBe(0);
    expect(all.guests.last.readable[0]?.emulator.runNs.value).toBe(0.25 * SECOND_NS);
  });

  it("says run and delay as they grew, whatever the period and the amounts", () => {
    const tick = fc.record({
      run: fc.integer({ min: 0, max: 1_000_000 }),
      delay: fc.integer({ min: 0, max: 1_000_000 }),
      ms: fc.integer({ min: 1000, max: 5000 }),
    });
    fc.assert(
      fc.property(fc.array(tick, { minLength: 1, maxLength: 5 }), (ticks) => {
        using host = new FakeHost();
        const all = host.sampler(host.context(8));
        const guest = fakeGuest({ pid: 10 });
        threads(host, 10, {});
        all.sampler.tick({ guests: [guest], unreadable: [] }, auto);
        const sum = { run: 0, delay: 0 };
        for (const { run, delay, ms } of ticks) {
          sum.run += run;
          sum.delay += delay;
          threads(host, 10, { runNs: sum.run * 1000, delayNs: sum.delay * 1000 });
          host.nowMs += ms - 1000;
          const vcpu = next(host, all, [guest]).guests[0]?.vcpus[0];
          expect(vcpu?.run).toBeCloseTo(run / 1000 / ms, 5);
          expect(vcpu?.delay).toBeCloseTo(delay / 1000 / ms, 5);
        }
        all.guests.close();
      }),
      { numRuns: 25 },
    );
  });
});
