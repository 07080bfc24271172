import { describe, expect, it } from "@jest/globals";
import type { ArmRecord, BusyPhase, Reading } from "./arm-record.ts";
import { castFor } from "./cast.ts";
import { figuresOf, latencyOf } from "./figures.ts";

const facts = { parts: castFor(2), cpus: 2, checkPeriodMs: 200 };

/** Everything at a moment: seconds of CPU and number of switches, by guest. */
function reading(atMs: number, idleSeconds: number, guests: Record<string, [number, number]>): Reading {
  return {
    hostIdleNs: idleSeconds * 1e9,
    guests: new Map(
      Object.entries(guests).map(([name, [seconds, switches]]) => [
        name,
        { atMs, runNs: seconds * 1e9, delayNs: 0, switches },
      ]),
    ),
  };
}

const from = reading(1000, 5, { pc: [1, 0], web: [1, 0], scientific: [1, 100] });
const to = reading(11_000, 6, { pc: [3, 500], web: [7, 500], scientific: [11, 2100] });

function record(phases: BusyPhase[], rest: Partial<ArmRecord> = {}): ArmRecord {
  return { phases, bursts: new Map(), progress: [], ...rest };
}

describe("figures", () => {
  it("take the slower of the two moves, in check periods", () => {
    const figures = figuresOf(
      record([
        { startedAtMs: 0, promotedAtMs: 1300, stoppedAtMs: 5000, demotedAtMs: 6000, held: [] },
        { startedAtMs: 7000, promotedAtMs: 8250, stoppedAtMs: 9000, demotedAtMs: 10_250, held: [] },
      ]),
      facts,
    );
    expect(figures).toMatchObject({ promotedAfterPeriods: 6.5, demotedAfterPeriods: 6.25 });
  });

  it("say nothing of moves where one was missed", () => {
    const figures = figuresOf(
      record([
        { startedAtMs: 0, promotedAtMs: 1300, stoppedAtMs: 5000, held: [] },
        { startedAtMs: 7000, stoppedAtMs: 9000, demotedAtMs: 10_000, held: [] },
      ]),
      facts,
    );
    expect(figures).toMatchObject({ promotedAfterPeriods: null, demotedAfterPeriods: null });
  });

  it("hold the scientific guest's CPU against what was left: its own and the idle CPU", () => {
    const figures = figuresOf(record([{ startedAtMs: 0, held: [{ from, to }] }]), facts);
    // 10 s on its vCPUs, 1 s idle; 20 s on two CPUs, 18 of guests, 1 idle: 1 s for the host in 10 s.
    expect(figures).toMatchObject({
      scientificShareOfIdle: 0.9091,
      scientificCores: 1,
      contextSwitchesPerSecond: 200,
      allContextSwitchesPerSecond: 300,
      hostCores: 0.1,
    });
  });

  it("ask for no more than all its vCPUs where the host has more to give", () => {
    const idle = reading(11_000, 105, { pc: [1, 0], web: [1, 0], scientific: [20, 0] });
    const figures = figuresOf(record([{ startedAtMs: 0, held: [{ from, to: idle }] }]), {
      ...facts,
      cpus: 16,
    });
    expect(figures.scientificShareOfIdle).toBe(0.95);
  });

  it("count what a web guest got up to its SLA, burst by burst", () => {
    const burst = (fromMs: number, ms: number, ranMs: number) => ({
      from: { atMs: fromMs, runNs: 0, delayNs: 0, switches: 0 },
      to: { atMs: fromMs + ms, runNs: ranMs * 1e6, delayNs: 0, switches: 0 },
    });
    const bursts = new Map([["web", [burst(0, 1000, 1000), burst(2000, 1000, 450)]]]);
    expect(figuresOf(record([], { bursts }), facts).webSlaRatio).toBe(0.75);
  });

  it("take progress from inside the time that counts", () => {
    const progress = [0, 2000, 6000, 10_000, 20_000].map((atMs) => ({ atMs, rounds: atMs * 3 }));
    expect(
      figuresOf(record([{ startedAtMs: 0, held: [{ from, to }] }], { progress }), facts).scientificProgress,
    ).toBe(3000);
  });

  it("are null where nothing was measured", () => {
    expect(Object.values(figuresOf(record([]), facts)).every((value) => value === null)).toBe(true);
  });
});

describe("latency", () => {
  it("gives percentiles by nearest rank from 500 samples on", () => {
    const samples = Array.from({ length: 500 }, (_, i) => i + 1).toReversed();
    expect(latencyOf(samples)).toEqual({ p50: 250, p99: 495, n: 500 });
    expect(latencyOf(samples.slice(1))).toEqual({ p50: null, p99: null, n: 499 });
  });
});
