import { describe, expect, it } from "@jest/globals";
import { presetSettings } from "../settings.ts";
import { guest } from "../testing/hosts.ts";
import { guestUse, isExempt, isReadable } from "./use.ts";

const settings = presetSettings("default");

describe("guestUse", () => {
  it("takes means over the vCPUs", () => {
    const use = guestUse(guest(1, { run: [0.8, 0.2], delay: 0.05 }), settings);
    expect(use.usage).toBeCloseTo(0.5);
    expect(use.delay).toBeCloseTo(0.05);
    expect(use.demand).toBeCloseTo(0.5);
    expect(use.vcpuDemand).toEqual([0.8, 0.2]);
  });

  it.each([
    ["a spinning vCPU under a quota of 25% (measured)", 0.25, 0.75, 1],
    ["the same with a little jitter", 0.25, 0.701, 1],
    ["a busy vCPU whose delay the kernel books late (measured)", 0.5, 0.418, 1],
    ["a 30% open-loop load beside a spinning neighbour (measured)", 0.3, 0.3, 0.3],
    ["the same under a quota of 40% (measured)", 0.3, 0.36, 0.3],
    ["a little less than what counts as all", 0.5, 0.399, 0.5],
    ["a vCPU that only waited", 0, 1, 1],
    ["a halted vCPU", 0, 0, 0],
    ["a little over the period", 1.02, 0, 1],
  ])("%s: run %d, delay %d: wanted %d", (_, run, delay, demand) => {
    expect(guestUse(guest(1, { run, delay }), settings).demand).toBe(demand);
  });

  it("looks at each vCPU: one that is held back does not make the others so", () => {
    expect(guestUse(guest(1, { run: [0.5, 0.1], delay: 0.5 }), settings).vcpuDemand).toEqual([1, 0.1]);
  });
});

describe("isReadable", () => {
  it("says whether rates mean anything", () => {
    expect(isReadable(guest(1))).toBe(true);
    expect(isReadable(guest(1, {}, { incomplete: true }))).toBe(false);
    for (const state of ["paused", "migrating", "unknown"] as const) {
      expect(isReadable(guest(1, {}, { state }))).toBe(false);
    }
  });
});

describe("isExempt", () => {
  it("leaves dedicated, real-time and cpu-pm guests alone, unless their class is declared", () => {
    for (const exemptReason of ["dedicated", "realtime", "cpu-pm"] as const) {
      expect(isExempt(guest(1, {}, { exemptReason }))).toBe(true);
      const declared = { class: "scientific", source: "rule 1" } as const;
      expect(isExempt(guest(1, {}, { exemptReason, declared }))).toBe(false);
      const catchAll = { class: "auto", slaCores: 1, source: "rule 9" } as const;
      expect(isExempt(guest(1, {}, { exemptReason, declared: catchAll }))).toBe(true);
    }
  });

  it("leaves alone what is declared so", () => {
    expect(isExempt(guest(1, {}, { declared: { class: "exempt", source: "metadata" } }))).toBe(true);
    expect(isExempt(guest(1))).toBe(false);
  });
});
