/**
 * CPU bandwidth of one group: how much of each period it may run (Documentation/scheduler/sched-bwc.rst).
 *
 *     v1   cpu.cfs_quota_us  cpu.cfs_period_us  cpu.cfs_burst_us     no limit: -1
 *     v2   cpu.max (QUOTA PERIOD)  cpu.max.burst                     no limit: max
 */
import { join } from "node:path";
import type { Values, Write } from "./write.ts";

export interface BandwidthState {
  /** Absent: no limit. */
  quotaUs: number | undefined;
  periodUs: number;
  /** Absent where the kernel has no burst (before 5.14). */
  burstUs: number | undefined;
}

/** Part of a CPU that a group may have; infinite without a limit. */
export function ratioOf(state: Pick<BandwidthState, "quotaUs" | "periodUs">): number {
  return state.quotaUs === undefined ? Infinity : state.quotaUs / state.periodUs;
}

const V1 = { quota: "cpu.cfs_quota_us", period: "cpu.cfs_period_us", burst: "cpu.cfs_burst_us" };
const V2 = { max: "cpu.max", burst: "cpu.max.burst" };

/** Files that hold a group's bandwidth. */
export function bandwidthKeys(version: 1 | 2, dir: string): string[] {
  return Object.values(version === 1 ? V1 : V2).map((name) => join(dir, name));
}

/** @returns undefined where the kernel was built without bandwidth, or the values were not read */
export function bandwidthOf(version: 1 | 2, dir: string, values: Values): BandwidthState | undefined {
  const burst = values.get(join(dir, version === 1 ? V1.burst : V2.burst));
  const [quota, period] =
    version === 1
      ? [values.get(join(dir, V1.quota)), values.get(join(dir, V1.period))]
      : (values.get(join(dir, V2.max))?.split(" ") ?? []);
  if (quota === undefined || period === undefined) return undefined;
  const unlimited = quota === "max" || Number(quota) < 0;
  return {
    quotaUs: unlimited ? undefined : Number(quota),
    periodUs: Number(period),
    burstUs: burst === undefined ? undefined : Number(burst),
  };
}

/** The files' values for a state, as the kernel prints them. */
export function bandwidthValues(version: 1 | 2, dir: string, state: BandwidthState): Map<string, string> {
  const values = new Map<string, string>();
  if (version === 1) {
    values.set(join(dir, V1.quota), String(state.quotaUs ?? -1));
    values.set(join(dir, V1.period), String(state.periodUs));
  } else {
    values.set(join(dir, V2.max), `${state.quotaUs ?? "max"} ${state.periodUs}`);
  }
  if (state.burstUs !== undefined) {
    values.set(join(dir, version === 1 ? V1.burst : V2.burst), String(state.burstUs));
  }
  return values;
}

export interface BandwidthChange {
  version: 1 | 2;
  target: string;
  dir: string;
  from: BandwidthState;
  to: BandwidthState;
  /** Limit of the group above, which a child may not exceed on v1; infinite without one. */
  parentRatio: number;
}

/**
 * Writes that take one group from one bandwidth to another. At no time is the group held tighter than both before and
 * after, and no write is one that the kernel refuses.
 */
export function bandwidthWrites(change: BandwidthChange): Write[] {
  const { from, to } = change;
  const states = [from, ...bandwidthSteps(change)];
  const writes: Write[] = [];
  let before = bandwidthValues(change.version, change.dir, from);
  for (const state of states.slice(1)) {
    const after = bandwidthValues(change.version, change.dir, state);
    for (const [key, text] of after) if (before.get(key) !== text) writes.push(fileWrite(change, key, text));
    before = after;
  }
  // Kernels before May 2024 divide the burst by 1000 at every write of cpu.max: it is written again.
  const burstKey = join(change.dir, V2.burst);
  const touchesMax = writes.some((write) => write.key === join(change.dir, V2.max));
  if (touchesMax && (to.burstUs ?? 0) > 0 && writes.at(-1)?.key !== burstKey) {
    writes.push(fileWrite(change, burstKey, String(to.burstUs)));
  }
  return writes;
}

const fileWrite = (change: BandwidthChange, key: string, text: string): Write => ({
  op: "file",
  target: change.target,
  setting: "bandwidth",
  key,
  text,
});

/** The states on the way, each one write from the state before it. */
function bandwidthSteps(change: BandwidthChange): BandwidthState[] {
  const { from, to } = change;
  const steps: BandwidthState[] = [];
  let at = from;
  const go = (next: Partial<BandwidthState>): void => {
    const state = { ...at, ...next };
    const changed = (["quotaUs", "periodUs", "burstUs"] as const).some((field) => state[field] !== at[field]);
    at = state;
    if (changed) steps.push(state);
  };
  // A quota below the burst is EINVAL, and a burst above the quota too: the burst goes down first, and up last.
  const room = Math.min(to.quotaUs ?? Infinity, from.quotaUs ?? Infinity);
  if (from.burstUs !== undefined && from.burstUs > room) go({ burstUs: Math.min(from.burstUs, room) });
  for (const next of change.version === 2 ? [quotaAndPeriod(to)] : quotaPeriodOrder(change)) go(next);
  go({ burstUs: to.burstUs });
  return steps;
}

const quotaAndPeriod = (state: BandwidthState): Partial<BandwidthState> => ({
  quotaUs: state.quotaUs,
  periodUs: state.periodUs,
});

/**
 * Quota and period are two writes on v1. Longer period first would tighten, shorter quota first too; where the one that
 * loosens goes above the parent's limit (EINVAL), the limit is taken off between the two: none is always allowed.
 */
function quotaPeriodOrder({ from, to, parentRatio }: BandwidthChange): Partial<BandwidthState>[] {
  const period = { periodUs: to.periodUs };
  const quota = { quotaUs: to.quotaUs };
  const tightest = Math.min(ratioOf(from), ratioOf(to));
  const fits = (between: BandwidthState): boolean =>
    ratioOf(between) >= tightest && ratioOf(between) <= parentRatio;
  if (fits({ ...from, ...quota })) return [quota, period];
  if (fits({ ...from, ...period })) return [period, quota];
  return [{ quotaUs: undefined }, period, quota];
}

/**
 * Orders the changes of a tree: groups that get more from the top down, then groups that get less from the bottom up, so
 * that on v1 no child ever exceeds its parent.
 */
export function orderBandwidth(changes: readonly BandwidthChange[]): BandwidthChange[] {
  const depth = (change: BandwidthChange): number => change.dir.split("/").length;
  const raises = changes.filter((change) => ratioOf(change.to) > ratioOf(change.from));
  const others = changes.filter((change) => ratioOf(change.to) <= ratioOf(change.from));
  return [
    ...raises.toSorted((a, b) => depth(a) - depth(b)),
    ...others.toSorted((a, b) => depth(b) - depth(a)),
  ];
}
