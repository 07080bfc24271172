/**
 * The feedback that holds declared delays: what services waited in a period, to the rung for the next one. Fast down, slow up.
 *
 * A service declares the p99: one period in a hundred may be longer. So a higher rung is tried after a hundred calm periods,
 * and one period that exceeds takes it back at once: even where every trial fails, one in a hundred exceeds. A rung that failed
 * is tried again after twice as many calm periods each time. All that is remembered is bounded: after any load, what was
 * given up comes back at the same pace.
 */
import type { DelayState } from "../state.ts";
import { FIRST_RUNG } from "./delay-ladder.ts";

/** Periods of which one may exceed: p99. */
const PERIODS = 100;
/** What a service may owe: more than one period in a hundred is more than it declared. */
export const DEBT_ALLOWED = PERIODS;
/** Calm periods before the next rung, up to {@link FIRST_RUNG}: nothing is risked there, another trial costs one period. */
const CALM_BACK = 20;
export const PATIENCE_MIN = PERIODS;
export const PATIENCE_MAX = 16 * PERIODS;
/** Above this part of what was declared a period is no reason to give scientific guests more. */
const NEAR = 0.8;
/** A service that gets less than its SLA counts as one that waits this many times what it declared. */
const SHORT_RATIO = 2;
/** Where guests do not run as much as this, as part of their vCPUs, nothing is learnt about waiting. */
export const ACTIVE_USAGE = 0.01;

/** What one service did in the period. Parts of its vCPUs' time. */
export interface DelaySeen {
  usage: number;
  delay: number;
  /** It got less than its SLA though it wanted it. */
  isShort: boolean;
}

/** One service that declared a delay. */
export interface DelayWatch {
  slaDelay: number;
  before: DelayState | undefined;
  /** undefined: could not be read. */
  seen: DelaySeen | undefined;
}

export interface DelayStep {
  /** For the next period. */
  rung: number;
  /** Of each watch, in the order given. */
  next: DelayState[];
  /** The watch that brought the rung down, by its place. */
  loweredBy?: number;
}

/**
 * One period of all services of a host that declared a delay; at least one.
 * @param top highest rung that other guests of the host allow
 * @param isTried scientific guests ran: without them nothing is learnt about what they cost
 */
export function followDelay(watches: readonly DelayWatch[], top: number, isTried = true): DelayStep {
  const fresh: DelayState = { rung: FIRST_RUNG, calm: 0, debt: 0, patience: PATIENCE_MIN };
  const before = watches.map((watch) => watch.before ?? fresh);
  const common = commonOf(before);
  const inForce = Math.min(top, common.rung);
  const ratios = watches.map(ratioOf);
  const debts = before.map(({ debt }, i) => debtAfter(debt, ratios[i], inForce));
  const [rung, loweredBy] = lowest(inForce, ratios, debts);
  if (rung < inForce) {
    const again = common.failed !== undefined && inForce >= common.failed;
    const patience = again ? Math.min(PATIENCE_MAX, 2 * common.patience) : PATIENCE_MIN;
    const next = debts.map((debt) => ({ rung, calm: 0, debt, patience, failed: inForce }));
    return { rung, next, ...(loweredBy === undefined ? {} : { loweredBy }) };
  }
  const isActive = watches.some(({ seen }) => (seen?.usage ?? 0) >= ACTIVE_USAGE);
  // What was kept from scientific guests comes back also while services are quiet.
  const teaches = (isActive && isTried) || inForce < FIRST_RUNG;
  const calm = calmOf(before, ratios, teaches);
  // Who cannot be read does not hold the others up: when it comes back it is heard.
  const heard = calm.filter((_, i) => ratios[i] !== undefined);
  const least = heard.length === 0 ? 0 : Math.min(...heard);
  return raised({ ...common, rung: inForce }, { top, least, calm, debts });
}

type Common = Pick<DelayState, "rung" | "patience" | "failed">;

/** What guests remember alike; one that is new among them has the last word. */
function commonOf(states: readonly DelayState[]): Common {
  const failed = states.flatMap((state) => state.failed ?? []);
  return {
    rung: Math.min(...states.map(({ rung }) => rung)),
    patience: Math.max(...states.map(({ patience }) => patience)),
    ...(failed.length === 0 ? {} : { failed: Math.min(...failed) }),
  };
}

/** How many times what it declared a service waited; undefined: not known. */
function ratioOf({ seen, slaDelay }: DelayWatch): number | undefined {
  if (seen === undefined) return undefined;
  return Math.max(seen.delay / slaDelay, seen.isShort ? SHORT_RATIO : 0);
}

/**
 * Periods that exceeded, a hundredth of which is forgiven in each. Above {@link FIRST_RUNG} they are answered at once and
 * leave no debt.
 */
function debtAfter(debt: number, ratio: number | undefined, inForce: number): number {
  if (ratio === undefined) return debt;
  const exceeded = ratio > 1 && inForce <= FIRST_RUNG;
  return exceeded ? Math.min(2 * PERIODS, debt + PERIODS) : Math.max(0, debt - 1);
}

function lowest(
  inForce: number,
  ratios: readonly (number | undefined)[],
  debts: readonly number[],
): [rung: number, by: number | undefined] {
  let rung = inForce;
  let by: number | undefined;
  for (const [i, ratio = 0] of ratios.entries()) {
    const mayHave = loweredTo(inForce, ratio, debts[i] ?? 0);
    if (mayHave < rung) [rung, by] = [mayHave, i];
  }
  return [rung, by];
}

/** Above the first rung one period is enough, and the more it exceeds the further down; below, more than one in a hundred. */
function loweredTo(inForce: number, ratio: number, debt: number): number {
  if (ratio <= 1) return inForce;
  if (inForce > FIRST_RUNG) return Math.max(FIRST_RUNG, inForce - 1 - Math.floor(Math.log2(ratio)));
  return debt > DEBT_ALLOWED ? Math.max(0, inForce - 1) : inForce;
}

/** Calm periods of each watch since the last one that exceeded, or since the rung changed. */
function calmOf(
  before: readonly DelayState[],
  ratios: readonly (number | undefined)[],
  teaches: boolean,
): number[] {
  return before.map(({ calm }, i) => {
    const ratio = ratios[i];
    if (ratio === undefined) return calm;
    if (ratio > 1) return 0;
    return ratio <= NEAR && teaches ? Math.min(PATIENCE_MAX, calm + 1) : calm;
  });
}

/** The next rung, where every service that was read has been calm for long enough. */
function raised(
  now: Common,
  {
    top,
    least,
    calm,
    debts,
  }: { top: number; least: number; calm: readonly number[]; debts: readonly number[] },
): DelayStep {
  const isProved = now.failed !== undefined && now.rung >= now.failed && least >= PERIODS;
  const { patience, failed } = isProved ? { patience: PATIENCE_MIN, failed: undefined } : now;
  const isRaised = now.rung < top && least >= calmNeeded(now.rung + 1, failed, patience);
  const rung = now.rung + (isRaised ? 1 : 0);
  const rest = { rung, patience, ...(failed === undefined ? {} : { failed }) };
  const next = debts.map((debt, i) => ({ ...rest, calm: isRaised ? 0 : (calm[i] ?? 0), debt }));
  return { rung, next };
}

function calmNeeded(rung: number, failed: number | undefined, patience: number): number {
  if (failed !== undefined && rung >= failed) return patience;
  return rung <= FIRST_RUNG ? CALM_BACK : PERIODS;
}
