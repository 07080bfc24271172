import { describe, expect, it } from "@jest/globals";
import { castFor } from "./cast.ts";
import { criteriaOf } from "./criteria.ts";
import type { Outcome } from "./experiment.ts";
import type { Figures } from "./figures.ts";
import { outcomeJson, outcomeLines } from "./report.ts";

const on: Figures = {
  promotedAfterPeriods: 6.8,
  demotedAfterPeriods: 6.1,
  scientificShareOfIdle: 0.97,
  webSlaRatio: 0.99,
  scientificCores: 1.1,
  contextSwitchesPerSecond: 300,
  allContextSwitchesPerSecond: 800,
  scientificProgress: 900,
  hostCores: 0.1,
};
const off: Figures = {
  ...on,
  promotedAfterPeriods: null,
  demotedAfterPeriods: null,
  webSlaRatio: 0.7,
  contextSwitchesPerSecond: 400,
};

function outcome(changes: Partial<Figures> = {}): Outcome {
  const measured = {
    on: { ...on, ...changes },
    off,
    beta: 5,
    sampleToReadBackMs: { p50: null, p99: null, n: 100 },
    restored: true,
    heldBefore: {
      quota: 0.3,
      promotedAfterPeriods: 6.9,
      scientificCores: { before: 0.6, after: 1.9 },
      restored: true,
    },
  };
  const facts = { preset: "default", seed: 1, seconds: 24, checkPeriodMs: 200, cpus: 2, servicesWant: 0.45 };
  return { ...facts, ...measured, guests: castFor(2), ...criteriaOf(measured) };
}

describe("the line for programs", () => {
  it("has the figures of both runs under the same names", () => {
    const json = JSON.parse(outcomeJson(outcome())) as { [key: string]: unknown; off: object };
    expect(json).toMatchObject({
      promotedAfterPeriods: 6.8,
      demotedAfterPeriods: 6.1,
      scientificShareOfIdle: 0.97,
      webSlaRatio: 0.99,
      contextSwitchesPerSecond: { before: 400, after: 300 },
      sampleToReadBackMs: { p50: null, p99: null, n: 100 },
      restored: true,
      notShown: ["scientificShareOfIdle"],
      met: true,
      off: {
        promotedAfterPeriods: null,
        webSlaRatio: 0.7,
        contextSwitchesPerSecond: { before: 400, after: null },
        restored: null,
      },
    });
    for (const figure of Object.keys(json.off)) expect(json).toHaveProperty(figure);
  });

  it("is one line", () => {
    expect(outcomeJson(outcome())).not.toContain("\n");
  });
});

describe("the summary", () => {
  it("compares, says what was shown, and what the unmanaged run does as well", () => {
    const text = outcomeLines(outcome()).join("\n");
    expect(text).toMatch(/Web guest: part of its SLA that it got +70 % +99 %/);
    expect(text).toMatch(/its context switches a second +400 +300 +-25 %/);
    expect(text).toMatch(/ok +scientificShareOfIdle .*also met without/);
    expect(text).toContain("only 100 samples");
    expect(text).toContain("All of it was shown.");
  });

  it("says plainly what was missed", () => {
    const text = outcomeLines(outcome({ webSlaRatio: 0.9, promotedAfterPeriods: null })).join("\n");
    expect(text).toContain("MISS webSlaRatio 0.9, without 0.7");
    expect(text).toContain("MISS promotedAfterPeriods never");
    expect(text).toContain("NOT shown: promotedAfterPeriods, webSlaRatio.");
  });

  it("warns where other programs were at work, and only there", () => {
    const disturbed = outcome();
    disturbed.off = { ...off, hostCores: 0.5 };
    expect(outcomeLines(disturbed).join("\n")).toContain("Other programs used 0.5 of 2 CPUs");
    expect(outcomeLines(outcome()).join("\n")).not.toContain("Other programs");
  });
});
