import { describe, expect, it } from "@jest/globals";
import { SERVICES_WANT_MIN, castFor } from "./cast.ts";
import { makeSchedule, wantedCores } from "./schedule.ts";

const SETTLE_MS = 1400;

describe("the cast", () => {
  it("is the paper's three guests on two CPUs", () => {
    expect(castFor(2).map(({ name, role, vcpus }) => `${name} ${role} ${vcpus}`)).toEqual([
      "pc pc 1",
      "web web 1",
      "scientific scientific 2",
    ]);
  });

  it("has a scientific guest with as many vCPUs as the host has CPUs, four at most", () => {
    const vcpus = [1, 2, 3, 4, 16].map(
      (cpus) => castFor(cpus).find(({ role }) => role === "scientific")?.vcpus,
    );
    expect(vcpus).toEqual([1, 2, 3, 4, 4]);
  });

  it.each([1, 2, 3, 4, 8, 16, 64])("has services that want at least 40 %% of %d CPUs", (cpus) => {
    const services = castFor(cpus).filter(({ role }) => role !== "scientific");
    for (const seed of [0, 1, 2014, 99]) {
      const schedule = makeSchedule(castFor(cpus), 105, seed, SETTLE_MS);
      const wanted = services.reduce((sum, part) => sum + wantedCores(schedule, part), 0);
      expect(wanted / cpus).toBeGreaterThanOrEqual(SERVICES_WANT_MIN);
    }
  });
});

describe("the schedule", () => {
  const parts = castFor(2);

  it("is the same for the same seed, and another one for another", () => {
    const steps = (seed: number): unknown => makeSchedule(parts, 30, seed, SETTLE_MS).steps;
    expect(steps(7)).toEqual(steps(7));
    expect(steps(7)).not.toEqual(steps(8));
  });

  it("starts, stops and starts the scientific guest again, with time to see each move", () => {
    const { steps, lengthMs } = makeSchedule(parts, 20, 1, SETTLE_MS);
    const loads = steps.filter(({ guest, kind }) => guest === "scientific" && kind === "load");
    expect(loads.map(({ percent }) => percent)).toEqual([100, 0, 100, 0]);
    const times = [...loads.map(({ atMs }) => atMs), lengthMs];
    for (const [i, at] of times.slice(1).entries()) expect(at - (times[i] ?? 0)).toBeGreaterThan(SETTLE_MS);
  });

  it("goes forward in time and leaves every guest without load", () => {
    const { steps, lengthMs } = makeSchedule(castFor(4), 20, 3, SETTLE_MS);
    expect(steps.map(({ atMs }) => atMs)).toEqual(steps.map(({ atMs }) => atMs).toSorted((a, b) => a - b));
    expect(steps.at(-1)?.atMs).toBeLessThanOrEqual(lengthMs);
    const last = new Map(
      steps.filter(({ kind }) => kind === "load").map((step) => [step.guest, step.percent]),
    );
    expect([...last.values()]).toEqual(castFor(4).map(() => 0));
  });

  it("measures a burst only after it has taken effect and before it ends", () => {
    const web = makeSchedule(parts, 20, 5, SETTLE_MS).steps.filter(({ guest }) => guest === "web");
    for (let i = 0; i + 2 < web.length; i += 3) {
      const [on, settled, off] = [web[i], web[i + 1], web[i + 2]];
      expect([on?.percent, settled?.kind, off?.percent]).toEqual([100, "settled", 0]);
      expect((settled?.atMs ?? 0) - (on?.atMs ?? 0)).toBeCloseTo(40);
      expect((off?.atMs ?? 0) - (settled?.atMs ?? 0)).toBeGreaterThan(100);
    }
    expect(web.length).toBeGreaterThan(30);
  });
});
