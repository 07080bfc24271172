import { describe, expect, it } from "@jest/globals";
import type { GuestReading } from "./kernel-meter.ts";
import { Recorder } from "./recorder.ts";

const scientific = { name: "scientific", role: "scientific" } as const;
const web = { name: "web", role: "web" } as const;

function recorderAt(managed: boolean): { recorder: Recorder; clock: { ms: number }; orders: string[] } {
  const clock = { ms: 0 };
  const orders: string[] = [];
  const readGuest = (): GuestReading => ({ atMs: clock.ms, runNs: clock.ms * 1e6, delayNs: 0, switches: 0 });
  const read = () => {
    orders.push(`read at ${clock.ms}`);
    return { guests: new Map([["scientific", readGuest()]]), hostIdleNs: 0 };
  };
  return { recorder: new Recorder({ read, readGuest, nowMs: () => clock.ms }, managed), clock, orders };
}

describe("the recorder", () => {
  it("writes down when a busy guest is promoted and a quiet one demoted", () => {
    const { recorder, clock, orders } = recorderAt(true);
    recorder.membership(false);
    clock.ms = 1000;
    recorder.loadSet(scientific, 100, () => orders.push("busy"));
    expect(recorder.awaitsMove).toBe(true);
    clock.ms = 2300;
    recorder.membership(true);
    expect(recorder.awaitsMove).toBe(false);
    clock.ms = 9000;
    recorder.loadSet(scientific, 0, () => orders.push("quiet"));
    clock.ms = 10_200;
    recorder.membership(false);

    const [phase] = recorder.record.phases;
    expect(phase).toMatchObject({
      startedAtMs: 1000,
      promotedAtMs: 2300,
      stoppedAtMs: 9000,
      demotedAtMs: 10_200,
    });
    expect(phase?.held.map(({ from, to }) => [at(from), at(to)])).toEqual([[2300, 9000]]);
    // The last reading is taken before the guest hears that it is to stop.
    expect(orders).toEqual(["busy", "read at 2300", "read at 9000", "quiet"]);
  });

  it("takes a guest for quiet when it says so: one that waits for a CPU cannot read that it is to rest", () => {
    const { recorder, clock } = recorderAt(true);
    recorder.loadSet(scientific, 100, () => undefined);
    clock.ms = 500;
    recorder.membership(true);
    recorder.hasRested(); // of an earlier rest: it is busy now
    clock.ms = 9000;
    recorder.loadSet(scientific, 0, () => undefined);
    clock.ms = 9600;
    recorder.hasRested();
    clock.ms = 10_800;
    recorder.membership(false);
    clock.ms = 11_000;
    recorder.hasRested(); // too late to mean this rest
    expect(recorder.record.phases).toMatchObject([{ stoppedAtMs: 9600, demotedAtMs: 10_800 }]);
  });

  it("does not count the time in which a busy guest was in the wrong list", () => {
    const { recorder, clock } = recorderAt(true);
    recorder.loadSet(scientific, 100, () => undefined);
    clock.ms = 50;
    recorder.settled(scientific); // says nothing where lists are to be had
    for (const [ms, member] of [
      [100, true],
      [200, false],
      [500, true],
    ] as const) {
      clock.ms = ms;
      recorder.membership(member);
    }
    clock.ms = 900;
    recorder.loadSet(scientific, 0, () => undefined);
    const [phase] = recorder.record.phases;
    expect(phase?.promotedAtMs).toBe(100);
    expect(phase?.held.map(({ from, to }) => [at(from), at(to)])).toEqual([
      [100, 200],
      [500, 900],
    ]);
  });

  it("takes a busy guest without a manager from when one would have moved it", () => {
    const { recorder, clock } = recorderAt(false);
    recorder.loadSet(scientific, 100, () => undefined);
    clock.ms = 1400;
    recorder.settled(scientific);
    clock.ms = 5000;
    recorder.loadSet(scientific, 0, () => undefined);
    const [phase] = recorder.record.phases;
    expect(phase?.promotedAtMs).toBeUndefined();
    expect(phase?.held.map(({ from, to }) => [at(from), at(to)])).toEqual([[1400, 5000]]);
  });

  it("measures a burst from when it has settled; one that is too short to settle, not at all", () => {
    const { recorder, clock } = recorderAt(true);
    recorder.loadSet(web, 100, () => undefined);
    recorder.loadSet(web, 0, () => undefined);
    recorder.loadSet(web, 100, () => undefined);
    clock.ms = 40;
    recorder.settled(web);
    clock.ms = 300;
    recorder.loadSet(web, 0, () => undefined);
    recorder.loadSet(web, 100, () => undefined);
    recorder.loadSet(web, 0, () => undefined);
    expect(recorder.record.bursts.get("web")?.map(({ from, to }) => [from.atMs, to.atMs])).toEqual([
      [40, 300],
    ]);
  });
});

function at({ guests }: { guests: ReadonlyMap<string, GuestReading> }): number | undefined {
  return guests.get("scientific")?.atMs;
}
