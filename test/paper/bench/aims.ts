/** What the experiment is to show, held against what it showed. */
import type { Aim } from "../../bench/harness.ts";
import type { Arm } from "./plan.ts";
import type { Summary } from "./summary.ts";

/** The paper's own figures (Hwang et al.): run time less by 49% on average and 78% at best, switches by 80% at best. */
const TIME_MEAN_MAX = 0.51;
const TIME_BEST_MAX = 0.22;
const SWITCHES_BEST_MAX = 0.2;
const WEB_P99_MAX = 1.04;
const FLUID_MAX = 1.03;
const GAIN_MIN = 0.97;
const SLA_MIN = 0.97;

/** Aims for the arm of one preset. One whose figure could not be measured is left out. */
export function aimsOf(summary: Summary, arm: Arm): Aim[] {
  const of = summary.arms.find((each) => each.arm === arm);
  const kernels = summary.kernels.filter((each) => each.arm === arm);
  const services = summary.services.filter((each) => each.arm === arm);
  const worst = (
    values: readonly (number | null)[],
    pick: (...values: number[]) => number,
  ): number | null => {
    const known = values.flatMap((value) => value ?? []);
    return known.length === 0 ? null : pick(...known);
  };
  return [
    atMost("run time against the default, mean of the kernels", TIME_MEAN_MAX, of?.timeToDefaultMean),
    atMost("run time against the default, best kernel", TIME_BEST_MAX, of?.timeToDefaultBest),
    atMost("context switches against the default, best kernel", SWITCHES_BEST_MAX, of?.switchesToDefaultBest),
    atMost("run time against the expert's set-up, worst kernel", 1, worstToStatic(summary, arm)),
    atMost("run time against the fluid limit, worst kernel", FLUID_MAX, of?.timeToFluidWorst),
    atLeast(
      "part of the possible gain in run time, worst kernel",
      GAIN_MIN,
      worst(
        kernels.map((k) => k.timeGainReached),
        Math.min,
      ),
    ),
    atLeast(
      "part of the possible gain in context switches, worst kernel",
      GAIN_MIN,
      worst(
        kernels.map((k) => k.switchesGainReached),
        Math.min,
      ),
    ),
    atLeast(
      "part of its SLA that a service got, worst service",
      SLA_MIN,
      worst(
        services.map((s) => s.slaGot),
        Math.min,
      ),
    ),
    atMost(
      "p99 of the web guests against the services alone, worst",
      WEB_P99_MAX,
      worst(
        services.filter((s) => s.name.startsWith("web")).map((s) => s.p99ToAlone),
        Math.max,
      ),
    ),
  ].flatMap((aim) => aim ?? []);
}

function worstToStatic({ kernels }: Summary, arm: Arm): number | null {
  const ratios = kernels
    .filter((each) => each.arm === arm)
    .flatMap((own) => {
      const other = kernels.find((each) => each.arm === "static" && each.kernel === own.kernel);
      return other === undefined ? [] : [own.seconds.median / other.seconds.median];
    });
  return ratios.length === 0 ? null : Math.max(...ratios);
}

const rounded = (value: number): number => Number(value.toPrecision(4));

function atMost(what: string, limit: number, measured: number | null | undefined): Aim | undefined {
  if (measured === null || measured === undefined) return undefined;
  return { what, aim: `<= ${limit}`, measured: rounded(measured), met: measured <= limit };
}

function atLeast(what: string, limit: number, measured: number | null): Aim | undefined {
  if (measured === null) return undefined;
  return { what, aim: `>= ${limit}`, measured: rounded(measured), met: measured >= limit };
}
