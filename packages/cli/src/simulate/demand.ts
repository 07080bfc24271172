/** How much CPU simulated guests want, as series over time. */

/** One guest's demand: part of all its vCPUs, 0 to 1, one value an interval. */
export interface Series {
  name: string;
  intervalMs: number;
  values: Float32Array;
  /** A few vCPUs at full speed (a computing job), or all a little (a service). */
  shape: "full-vcpus" | "even";
}

/** Demand at a point of time; the series begins again at its end. */
export function demandAt({ values, intervalMs }: Series, ms: number): number {
  return values[Math.floor(ms / intervalMs) % values.length] ?? 0;
}

/** What each of a guest's vCPUs wants. @returns parts of a CPU */
export function demandOfVcpus(demand: number, vcpus: number, shape: Series["shape"]): number[] {
  if (shape === "even") return Array.from({ length: vcpus }, () => demand);
  const total = demand * vcpus;
  return Array.from({ length: vcpus }, (_, at) => Math.min(1, Math.max(0, total - at)));
}

const SYNTHETIC_INTERVAL_MS = 1000;
const SYNTHETIC_VALUES = 600;
const SYNTHETIC_EACH = 8;

/** A small set without any file: jobs that compute, in phases or all the time; services, busy in waves; guests that rest. */
export function syntheticSeries(random: () => number): Series[] {
  const kinds: [string, Series["shape"], (at: number, phase: number) => number][] = [
    ["job", "full-vcpus", () => 0.95 + 0.05 * random()],
    ["phases", "full-vcpus", (at, phase) => (Math.floor((at + phase) / 40) % 3 === 0 ? 0.1 : 1)],
    ["service", "even", (at, phase) => 0.3 + 0.25 * Math.sin((at + phase) / 30) + 0.1 * random()],
    ["bursts", "even", () => (random() < 0.05 ? 0.9 : 0.05)],
    ["resting", "even", () => 0.02 * random()],
  ];
  return kinds.flatMap(([name, shape, valueAt]) =>
    Array.from({ length: SYNTHETIC_EACH }, (_, n) => {
      const phase = Math.floor(random() * SYNTHETIC_VALUES);
      const values = Float32Array.from({ length: SYNTHETIC_VALUES }, (_unused, at) =>
        Math.min(1, Math.max(0, valueAt(at, phase))),
      );
      return { name: `${name}-${n}`, intervalMs: SYNTHETIC_INTERVAL_MS, values, shape };
    }),
  );
}
