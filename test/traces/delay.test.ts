/**
 * Declared delays over 24 hours of real traces: every guest that is a service may wait a tenth of the time. The traces do not say how long
 * anybody waited, so a model says it: in proportion to what a guest runs and what weight scientific guests have, with a
 * tail. The rung must not flap; nor may it bring anybody into another list. A feedback without patience must be caught.
 */
import { describe, expect, it } from "@jest/globals";
import { decide, presetSettings } from "@kvm-governor/policy";
import type { GuestSample, HostState, Sample } from "@kvm-governor/policy";
import { Seeded } from "../support/seeded.ts";
import { samplesOf } from "./simulate.ts";
import { traceSet } from "./trace-set.ts";

const DAY_S = 86_400;
const T_CHECK_MS = 30_000;
const PERIODS = (DAY_S * 1000) / T_CHECK_MS;
const SLA_DELAY = 0.1;
/** Without a declaration. */
const FIRST_RUNG = 3;
const TOP_RUNG = 10;

/** Delay of a vCPU that runs all the time, in the mean, by rung: little below a weight, and twice as much with each. */
const meanDelay = (rung: number): number =>
  rung <= FIRST_RUNG ? 0.005 : 0.01 * 2 ** (rung - FIRST_RUNG - 1);

/** Longer than three times the mean in one of twenty periods: many guests, so somebody always waits long. */
function delayed(guest: GuestSample, rung: number, random: Seeded): GuestSample {
  const vcpus = guest.vcpus.map((vcpu) => {
    const delay = vcpu.run * meanDelay(rung) * -Math.log(1 - random.next());
    return { ...vcpu, delay: Math.min(delay, 1 - Math.min(1, vcpu.run)) };
  });
  return { ...guest, vcpus, declared: { class: "auto", slaDelay: SLA_DELAY, source: "rule 1" } };
}

interface Day {
  rungs: number[];
  /** Periods in which some service exceeded, as part of all. */
  exceeded: number;
  moves: number;
}

type Follow = (rung: number, decided: number, hasExceeded: boolean) => number;

function day(name: string, follow: Follow): Day {
  const settings = presetSettings("default", { checkPeriodMs: T_CHECK_MS, planTtlMs: 2 * T_CHECK_MS });
  const random = new Seeded(2014);
  const outcome: Day = { rungs: [], exceeded: 0, moves: 0 };
  let state: HostState | undefined;
  let rung = FIRST_RUNG;
  for (const plain of samplesOf(traceSet(name), T_CHECK_MS, DAY_S)) {
    const sample: Sample = { ...plain, guests: plain.guests.map((guest) => delayed(guest, rung, random)) };
    const decision = decide(state, sample, settings);
    if (decision.kind !== "decided") throw new Error("a new sample was taken for a repeated one");
    state = decision.next;
    const { guests, delayRung = FIRST_RUNG } = decision.report;
    const hasExceeded = guests.some(({ slaDelay, delay }) => slaDelay !== undefined && delay > slaDelay);
    outcome.exceeded += Number(hasExceeded) / PERIODS;
    outcome.moves += guests.filter(({ movedFrom }) => movedFrom !== undefined).length;
    outcome.rungs.push((rung = follow(rung, delayRung, hasExceeded)));
  }
  return outcome;
}

/** How often it went down after it went up, or up after it went down, within an hour. */
function flaps(rungs: readonly number[]): number {
  const changes = rungs.flatMap((rung, at) => {
    const before = at === 0 ? FIRST_RUNG : (rungs[at - 1] ?? rung);
    return rung === before ? [] : [{ at, isUp: rung > before }];
  });
  const hour = 3_600_000 / T_CHECK_MS;
  return changes.filter(({ at, isUp }, i) => {
    const last = changes[i - 1];
    return last !== undefined && last.isUp !== isUp && at - last.at < hour;
  }).length;
}

const byDecide: Follow = (_, decided) => decided;
const withoutPatience: Follow = (rung, _, hasExceeded) =>
  hasExceeded ? Math.max(0, rung - 1) : Math.min(TOP_RUNG, rung + 1);
const notAtAll: Follow = () => FIRST_RUNG;

describe.each(["surf-24h", "azure-24h"])("a day of %s with declared delays", (name) => {
  it("does not flap, exceeds in at most one period of a hundred, and gives scientific guests something", () => {
    const governed = day(name, byDecide);
    expect(flaps(governed.rungs)).toBeLessThan(24);
    expect(governed.exceeded).toBeLessThanOrEqual(0.01);
    // Each guest that arrives begins anew, and a rung takes 50 minutes at this T_check.
    expect(governed.rungs.filter((rung) => rung > FIRST_RUNG).length).toBeGreaterThan(PERIODS / 5);
    expect(governed.moves).toBe(day(name, notAtAll).moves);
  });
});

it("a feedback without patience flaps all day, and is caught", () => {
  const hasty = day("surf-24h", withoutPatience);
  expect(flaps(hasty.rungs)).toBeGreaterThan(240);
  expect(hasty.exceeded).toBeGreaterThan(0.01);
});
