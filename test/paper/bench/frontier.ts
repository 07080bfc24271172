/** From the figures of each way to where it lies: time of the kernels against latency of the services. Pure. */
import type { ArmResult, Figures } from "../../bench/harness.ts";
import type { Spread } from "../../bench/statistics.ts";
import type { ArmRun, ServiceFigures } from "./record.ts";
import { ALONE, REFERENCES, SERVICES } from "./ways.ts";

const ROLES = ["web", "pc"] as const;

/**
 * What one arm of one round measured, by name with the unit last. Services of one role together: throughput and cores summed, of
 * latencies and waiting the worst.
 * @param vcpus of the scientific guest: shares are of one vCPU
 */
export function figuresOfRun(run: Pick<ArmRun, "kernels" | "services">, vcpus: number): Figures {
  const figures: Figures = {};
  for (const { kernel, seconds, wallSeconds, ...counted } of run.kernels) {
    figures[`${kernel}_s`] = seconds;
    figures[`${kernel}_switches_per_s`] = counted.switches / wallSeconds;
    figures[`${kernel}_migrations_per_s`] = counted.migrations / wallSeconds;
    figures[`${kernel}_run_share`] = counted.runSeconds / wallSeconds / vcpus;
    figures[`${kernel}_delay_share`] = counted.delaySeconds / wallSeconds / vcpus;
  }
  if (run.kernels.length > 0) {
    figures["kernels_s"] = geometricMean(run.kernels.map(({ seconds }) => seconds));
    figures["other_cores"] = sum(run.kernels.map(({ otherCores }) => otherCores)) / run.kernels.length;
  }
  for (const role of ROLES) {
    const services = run.services.filter((service) => service.role === role);
    if (services.length === 0) continue;
    const all = (field: Numeric): number[] => services.map((service) => service[field]);
    figures[`${role}_per_s`] = sum(all("throughput"));
    figures[`${role}_p50_ms`] = Math.max(...all("p50Ms"));
    figures[`${role}_p99_ms`] = Math.max(...all("p99Ms"));
    figures[`${role}_cores`] = sum(all("cores"));
    figures[`${role}_delay_share`] = Math.max(...all("delayShare"));
    figures[`${role}_errors`] = sum(all("errors"));
  }
  return figures;
}

type Numeric = Exclude<keyof ServiceFigures, "name" | "role">;

/** Median with p10 and p90. */
export type Range = Pick<Spread, "median" | "p10" | "p90">;

/** Where a way lies. Ratios are against medians: 1 is as good as undisturbed, and less is better, but for cores. */
export interface Place {
  way: string;
  /** Geometric mean of the kernels' times, against the scientific guest alone. */
  time: Range;
  /** Against the services alone. */
  webP99: Range;
  pcP99: Range;
  webP99Ms: number;
  pcP99Ms: number;
  /** CPU that the services got, against the services alone. */
  servicesCores: number;
  /** No other way is as good in time, web p99 and pc p99, and better in one of them. */
  isFrontier: boolean;
}

/** The frontier cannot be said: the figure of an arm is missing, or is 0 and nothing can be held against it. */
export class FrontierError extends Error {
  override readonly name = "FrontierError";
}

/**
 * @param results with those of {@link REFERENCES}; kernels and services of all ways have to be the same
 * @returns the ways, fastest first, without the references
 * @throws {FrontierError}
 */
export function frontierOf(results: readonly ArmResult[]): Place[] {
  const of = (way: string, figure: string): Spread => {
    const found = results.find(({ arm }) => arm === way)?.figures[figure];
    if (found === undefined) throw new FrontierError(`no figure ${figure} of ${way}`);
    return found;
  };
  const against = (way: string, figure: string, reference: string): Range => {
    const base = of(reference, figure).median;
    if (!(base > 0)) throw new FrontierError(`figure ${figure} of ${reference} is ${base}`);
    const { median, p10, p90 } = of(way, figure);
    return { median: median / base, p10: p10 / base, p90: p90 / base };
  };
  const cores = (way: string): number => sum(ROLES.map((role) => of(way, `${role}_cores`).median));
  const ways = results.map(({ arm }) => arm).filter((arm) => !REFERENCES.includes(arm));
  const places = ways.map((way) => ({
    way,
    time: against(way, "kernels_s", ALONE),
    webP99: against(way, "web_p99_ms", SERVICES),
    pcP99: against(way, "pc_p99_ms", SERVICES),
    webP99Ms: of(way, "web_p99_ms").median,
    pcP99Ms: of(way, "pc_p99_ms").median,
    servicesCores: cores(way) / cores(SERVICES),
  }));
  return places
    .map((place) => ({ ...place, isFrontier: !places.some((other) => dominates(other, place)) }))
    .toSorted((a, b) => a.time.median - b.time.median);
}

type Costs = Pick<Place, "time" | "webP99" | "pcP99">;
const costsOf = ({ time, webP99, pcP99 }: Costs): number[] => [time.median, webP99.median, pcP99.median];

/** Whether `one` is nowhere worse than `other`, and somewhere better. */
export function dominates(one: Costs, other: Costs): boolean {
  const others = costsOf(other);
  const pairs = costsOf(one).map((cost, at) => [cost, others[at] ?? Infinity] as const);
  return pairs.every(([a, b]) => a <= b) && pairs.some(([a, b]) => a < b);
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
const geometricMean = (values: readonly number[]): number =>
  Math.exp(sum(values.map(Math.log)) / values.length);
