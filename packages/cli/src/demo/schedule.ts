/**
 * What each guest is told to do and when: fixed before the runs, the same for both. Times in milliseconds from the
 * start of a run.
 */
import { PC_PERCENT } from "./cast.ts";
import type { Part } from "./cast.ts";
import { seededRandom } from "./random.ts";

export interface LoadStep {
  atMs: number;
  guest: string;
  /** `load`: the guest is set to `percent`. `settled`: its last change is over, measuring may begin. */
  kind: "load" | "settled";
  percent: number;
}

export interface Schedule {
  lengthMs: number;
  /** In the order of time. */
  steps: readonly LoadStep[];
}

/** Shorter runs leave no time to see both moves of the scientific guest. */
export const SECONDS_MIN = 20;

/** When the scientific guest is busy, as parts of a run: it starts, stops, starts again, and stops. */
const BUSY_PHASES = [
  [0.06, 0.45],
  [0.57, 0.9],
] as const;

/** Web bursts and gaps in milliseconds, from and to; together they make WEB_DUTY. */
const BURST_MS = [250, 1000] as const;
const GAP_MS = [150, 523] as const;
/** A guest looks for orders every 10 ms; the kernel brings its run time up to date every tick (1 to 10 ms). */
const TAKES_EFFECT_MS = 40;

/** The load of a run. `settleMs`: time that a manager may take to notice the scientific guest. */
export function makeSchedule(
  parts: readonly Part[],
  seconds: number,
  seed: number,
  settleMs: number,
): Schedule {
  const lengthMs = seconds * 1000;
  const steps = parts.flatMap((part, i) => {
    if (part.role === "pc") return [load(0, part, PC_PERCENT), load(lengthMs, part, 0)];
    if (part.role === "web") return bursts(part, lengthMs, seededRandom(seed * 1000 + i));
    return BUSY_PHASES.flatMap(([from, to]) => busy(part, from * lengthMs, to * lengthMs, settleMs));
  });
  return { lengthMs, steps: steps.toSorted((a, b) => a.atMs - b.atMs) };
}

function bursts(part: Part, lengthMs: number, random: () => number): LoadStep[] {
  const between = ([from, to]: readonly [number, number]): number => from + random() * (to - from);
  const steps: LoadStep[] = [];
  for (let at = between(GAP_MS); at + BURST_MS[0] < lengthMs; at += between(GAP_MS)) {
    const end = Math.min(at + between(BURST_MS), lengthMs);
    steps.push(...busy(part, at, end, TAKES_EFFECT_MS));
    at = end;
  }
  return steps;
}

function busy(part: Part, fromMs: number, toMs: number, settleMs: number): LoadStep[] {
  const settled: LoadStep = { atMs: fromMs + settleMs, guest: part.name, kind: "settled", percent: 100 };
  return [load(fromMs, part, 100), ...(settled.atMs < toMs ? [settled] : []), load(toMs, part, 0)];
}

function load(atMs: number, part: Part, percent: number): LoadStep {
  return { atMs, guest: part.name, kind: "load", percent };
}

/** What a guest wants on average over a run, in cores. */
export function wantedCores(schedule: Schedule, part: Part): number {
  let percent = 0;
  let since = 0;
  let total = 0;
  for (const step of schedule.steps) {
    if (step.guest !== part.name || step.kind !== "load") continue;
    total += (step.atMs - since) * percent;
    since = step.atMs;
    percent = step.percent;
  }
  total += (schedule.lengthMs - since) * percent;
  return (total / 100 / schedule.lengthMs) * part.vcpus;
}
