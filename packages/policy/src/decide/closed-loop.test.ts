/**
 * The loop closed: what a plan gives is what guests can use in the next period. The paper's text, taken by the letter,
 * lets the share collapse at every second period (simulated: 1.4, 0.05, 1.35, 0.05 cores).
 */
import { describe, expect, it } from "@jest/globals";
import { presetSettings } from "../settings.ts";
import { TestHost, bandwidthOf, cpus, guest, planOf } from "../testing/hosts.ts";
import type { GuestSample } from "../contracts/sample.ts";
import { allocate } from "./allocate.ts";

const SERVICES_USE = 0.6;

/** Shares of a scientific guest that uses all it is given, period after period, on two CPUs. */
function shares(share: (scientificUse: number) => number): number[] {
  const given: number[] = [];
  let use = 0;
  for (let period = 0; period < 12; period++) {
    use = Math.min(2, share(use));
    given.push(use);
  }
  return given;
}

function isSteady(values: readonly number[]): boolean {
  return Math.max(...values.slice(1)) - Math.min(...values.slice(1)) < 0.01;
}

/** allocate_PR as it is, on a host whose services want 0.6 cores; `counted` is taken for use by others. */
function shareWith(demandCores: number, counted: number): number {
  const service = {
    class: "service",
    vcpus: 2,
    mostCores: 2,
    demandCores: SERVICES_USE,
    slaCores: undefined,
    inferred: true,
  } as const;
  const scientific = { ...service, class: "scientific", demandCores } as const;
  const allocation = allocate([service, scientific], cpus(2), counted, presetSettings("paper"));
  return allocation.entitlements[1] ?? NaN;
}

describe("allocate_PR in the loop", () => {
  it("gives a steady share: what scientific guests use now is not subtracted", () => {
    const given = shares((use) => shareWith(use, 0));
    expect(isSteady(given)).toBe(true);
    expect(given.at(-1)).toBeCloseTo(2 - SERVICES_USE);
  });

  it("would collapse at every second period if it were (the check above can fail)", () => {
    const given = shares((use) => shareWith(use, use));
    expect(isSteady(given)).toBe(false);
    expect(given.slice(0, 4).map((value) => Math.round(value * 100) / 100)).toEqual([1.4, 0.1, 1.3, 0.1]);
  });
});

/** What a guest's vCPUs do in the next period, when each wants some of a CPU and may have what the plan gives. */
function underPlan(
  host: TestHost,
  n: number,
  wanted: readonly number[],
  neighbours: GuestSample[],
): GuestSample {
  const plan = host.state?.plan?.guests.find(({ name }) => name === `guest-${n}`);
  const vcpus = wanted.map((want, index) => {
    const bandwidth = plan?.vcpus[index]?.bandwidth;
    const run = Math.min(want, typeof bandwidth === "number" ? bandwidth : 1);
    return { index, run, delay: run < want ? 1 - run : 0 };
  });
  expect(neighbours.every(({ name }) => name !== `guest-${n}`)).toBe(true);
  return { ...guest(n), vcpus };
}

describe("decide in the loop, preset paper", () => {
  it("keeps a scientific guest at what services leave, and in its list", () => {
    const host = new TestHost({ preset: "paper" }, { cpus: cpus(2) });
    const web = guest(2, { run: [SERVICES_USE] });
    for (let period = 0; period < 10; period++) host.tick([underPlan(host, 1, [1, 1], [web]), web]);
    for (let period = 0; period < 20; period++) {
      const decision = host.tick([underPlan(host, 1, [1, 1], [web]), web]);
      expect(planOf(decision, 1).class).toBe("scientific");
      expect(bandwidthOf(decision, 1)).toEqual([0.7, 0.7]);
    }
  });

  it("follows the vCPUs: one that goes quiet leaves its part to the other, and gets it back when it wants it", () => {
    const host = new TestHost({ preset: "paper", deadBandCores: 0 }, { cpus: cpus(2) });
    const web = guest(2, { run: [SERVICES_USE] });
    const spin = (wanted: number[]): (string | number)[] => {
      const decision = host.tick([underPlan(host, 1, wanted, [web]), web]);
      return bandwidthOf(decision, 1);
    };
    for (let period = 0; period < 10; period++) spin([1, 1]);
    expect(spin([1, 0.2])).toEqual([1, 0.4]);
    expect(spin([1, 0.2])).toEqual([1, 0.4]);
    expect(spin([1, 1])).toEqual([0.7, 0.7]);
  });

  it("lets a promised service that comes back have its SLA at the next period at the latest", () => {
    const host = new TestHost({ preset: "paper" }, { cpus: cpus(2) });
    const promised = { declared: { class: "service", slaCores: 0.9, source: "rule 1" } } as const;
    const web = (run: number, delay = 0): GuestSample => guest(2, { run: [run], delay }, promised);
    for (let period = 0; period < 10; period++) host.tick([underPlan(host, 1, [1, 1], []), web(0.05)]);
    const back = host.tick([underPlan(host, 1, [1, 1], []), web(0.1, 0.9)]);
    expect(bandwidthOf(back, 2)).toEqual([0.9]);
    expect(bandwidthOf(back, 1)).toEqual([0.55, 0.55]);
  });
});
