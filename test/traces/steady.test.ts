/**
 * Steady load: under preset `default` hardly any guest changes class more than once an hour in 24 hours of real traces unless its
 * load did (packages/cli/src/replay/load.ts says when a load did). The same check must catch policies that flap.
 */
import { describe, expect, it } from "@jest/globals";
import { presetSettings } from "@kvm-governor/policy";
import type { Settings } from "@kvm-governor/policy";
import { armSummary } from "../../packages/cli/src/replay/summary.ts";
import type { ArmSummary } from "../../packages/cli/src/replay/summary.ts";
import { simulate } from "./simulate.ts";
import { readAzure, readSurf } from "./sources.ts";
import type { TraceSet } from "./trace-set.ts";
import { traceSet } from "./trace-set.ts";

const DAY_S = 86_400;

function judge(set: TraceSet, settings: Settings, untilS?: number): ArmSummary {
  return armSummary({
    policy: { name: settings.preset, settings, rules: [] },
    replayer: simulate(set, settings, untilS),
  });
}

/**
 * Guests whose load goes up and down again faster than their 5-minute mean: preset `default` lets them out of LIST_sc at once and keeps them from
 * coming back for an hour, which makes two moves. Over 60 and 100 guests in a day.
 */
const UNEXCUSED_MAX = 4;

/** T_check a third and a tenth of what a value of the trace holds; npm run bench -- flaps takes 1 s. */
const sets = [
  ["surf-24h", 10_000],
  ["azure-24h", 30_000],
] as const;

describe("24 hours of real traces", () => {
  it.each(sets)(
    "%s: under preset default hardly anybody moves more than once an hour unless its load did",
    (name, T) => {
      const all = judge(traceSet(name), presetSettings("default", { checkPeriodMs: T }), DAY_S);
      expect(all.unexcusedMoves).toBeLessThanOrEqual(UNEXCUSED_MAX);
      // And it is no policy that never moves anybody.
      expect(all.moves).toBeGreaterThan(30);
      expect(all.detected).toBeGreaterThan(5 * all.missed);
    },
  );

  it.each(sets)("%s: with one threshold and no cool-down (preset paper) they do", (name, T) => {
    const all = judge(traceSet(name), presetSettings("paper", { checkPeriodMs: T }), DAY_S);
    expect(all.unexcusedMoves).toBeGreaterThan(100);
  });

  it.each([
    ["one threshold", { alphaDown: 0.7, coolDownMs: 0 }],
    ["a cool-down of a minute", { coolDownMs: 60_000, beta: 0 }],
    ["thresholds that nearly touch", { alphaDown: 0.68, coolDownMs: 0 }],
  ])("a policy that flaps is caught: %s", (_, rest) => {
    const settings = presetSettings("default", { checkPeriodMs: 30_000, ...rest });
    expect(judge(traceSet("surf-24h"), settings, DAY_S).unexcusedMoves).toBeGreaterThan(UNEXCUSED_MAX);
  });
});

const large = process.env["KVMGOV_TRACES_DIR"];
const describeLarge = large === undefined ? describe.skip : describe;

describeLarge(
  large === undefined
    ? "the whole sets — skipped: KVMGOV_TRACES_DIR names no directory with them —"
    : "the whole sets",
  () => {
    it.each([
      ["azure", 60_000],
      ["surf", 30_000],
    ] as const)(
      "%s: nobody moves more than once an hour unless its load did",
      (name, T) => {
        const set = name === "azure" ? readAzure(large ?? "") : readSurf(large ?? "", 240);
        const all = judge(set, presetSettings("default", { checkPeriodMs: T }));
        expect(all).toMatchObject({ unexcusedMoves: 0, flaps: 0 });
        expect(all.moves).toBeGreaterThan(set.guests.length / 2);
        const off = judge(set, presetSettings("paper", { checkPeriodMs: T }));
        expect(off.unexcusedMoves).toBeGreaterThan(100);
      },
      600_000,
    );
  },
);
