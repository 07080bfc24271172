import { describe, expect, it } from "@jest/globals";
import { criteriaOf } from "./criteria.ts";
import type { Measured } from "./criteria.ts";
import type { Figures } from "./figures.ts";

const on: Figures = {
  promotedAfterPeriods: 6.8,
  demotedAfterPeriods: 7,
  scientificShareOfIdle: 0.97,
  webSlaRatio: 0.96,
  scientificCores: 1.1,
  contextSwitchesPerSecond: 300,
  allContextSwitchesPerSecond: 800,
  scientificProgress: 900,
  hostCores: 0.1,
};
const off: Figures = { ...on, promotedAfterPeriods: null, demotedAfterPeriods: null, webSlaRatio: 0.7 };
const good: Measured = {
  on,
  off,
  beta: 5,
  sampleToReadBackMs: { p50: 8, p99: 20, n: 500 },
  restored: true,
  heldBefore: {
    quota: 0.3,
    promotedAfterPeriods: 6.9,
    scientificCores: { before: 0.6, after: 1.9 },
    restored: true,
  },
};

const missed = (measured: Measured): string[] =>
  criteriaOf(measured).criteria.flatMap(({ what, met }) => (met ? [] : [what]));

describe("criteria", () => {
  it("are met by good figures; what the unmanaged run meets too is not shown by them", () => {
    expect(missed(good)).toEqual([]);
    expect(criteriaOf(good).notShown).toEqual(["scientificShareOfIdle"]);
  });

  it.each<[string, Measured]>([
    ["promotedAfterPeriods", { ...good, on: { ...on, promotedAfterPeriods: 7.01 } }],
    ["promotedAfterPeriods", { ...good, on: { ...on, promotedAfterPeriods: null } }],
    ["demotedAfterPeriods", { ...good, on: { ...on, demotedAfterPeriods: 7.2 } }],
    ["scientificShareOfIdle", { ...good, on: { ...on, scientificShareOfIdle: 0.89 } }],
    ["webSlaRatio", { ...good, on: { ...on, webSlaRatio: 0.949 } }],
    ["promotedFromQuota", { ...good, heldBefore: { ...good.heldBefore, promotedAfterPeriods: null } }],
    ["restored", { ...good, restored: false }],
    ["restored", { ...good, heldBefore: { ...good.heldBefore, restored: false } }],
    ["sampleToReadBackMs", { ...good, sampleToReadBackMs: { p50: 8, p99: 50, n: 500 } }],
  ])("miss %s where it is just not reached", (what, measured) => {
    expect(missed(measured)).toEqual([what]);
  });

  it("leave percentiles out that too few samples do not give", () => {
    const few = criteriaOf({ ...good, sampleToReadBackMs: { p50: null, p99: null, n: 100 } });
    expect(few.criteria.map(({ what }) => what)).not.toContain("sampleToReadBackMs");
  });
});
