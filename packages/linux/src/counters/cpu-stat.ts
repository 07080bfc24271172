/** Throttling of a control group, from its cpu.stat (kernel: sched-bwc, cgroup-v2). */
import { numberAfter } from "./digits.ts";

export interface Throttling {
  /** Bandwidth periods in which the group wanted to run; 0: never had a quota. */
  periods: number;
  throttledPeriods: number;
  /** Summed over the CPUs on which the group waited. */
  throttledNs: number;
}

const PERIODS = Buffer.from("nr_periods ");
const THROTTLED = Buffer.from("nr_throttled ");
/** v1, nanoseconds. */
const TIME = Buffer.from("throttled_time ");
/** v2, microseconds. */
const USEC = Buffer.from("throttled_usec ");

/**
 * Reads cpu.stat of v1 (`throttled_time`, ns) or v2 (`throttled_usec`) into `out`.
 * @returns false where it has no throttling: no such controller in this group
 */
export function readCpuStat(bytes: Buffer, length: number, version: 1 | 2, out: Throttling): boolean {
  const periods = numberAfter(bytes, length, PERIODS);
  const throttledPeriods = numberAfter(bytes, length, THROTTLED);
  const time = numberAfter(bytes, length, version === 1 ? TIME : USEC);
  if (periods === undefined || throttledPeriods === undefined || time === undefined) return false;
  out.periods = periods;
  out.throttledPeriods = throttledPeriods;
  out.throttledNs = version === 1 ? time : time * 1000;
  return true;
}
