/** Values that the kernel accepts, and conversions between the units of the contracts and the kernel's. */

/** Shortest quota and period, in microseconds (kernel/sched/core.c, min_cfs_quota_period). */
export const QUOTA_US_MIN = 1000;
export const PERIOD_US_MIN = 1000;
export const PERIOD_US_MAX = 1_000_000;
/** The kernel's own period where nobody chose one. */
export const PERIOD_US_DEFAULT = 100_000;

export const SHARES_MIN = 2;
export const SHARES_MAX = 262_144;
/** v1 shares of a group that nobody changed: weight 1 of the contracts. */
export const SHARES_DEFAULT = 1024;

export const WEIGHT_MIN = 1;
export const WEIGHT_MAX = 10_000;
/** v2 `cpu.weight` of a group that nobody changed: weight 1 of the contracts. */
export const WEIGHT_DEFAULT = 100;

const within = (value: number, min: number, max: number): number =>
  Math.min(max, Math.max(min, Math.round(value)));

/** v1 `cpu.shares` for a weight of the contracts. */
export function sharesOf(weight: number): number {
  return within(weight * SHARES_DEFAULT, SHARES_MIN, SHARES_MAX);
}

/** v2 `cpu.weight` for a weight of the contracts. */
export function cpuWeightOf(weight: number): number {
  return within(weight * WEIGHT_DEFAULT, WEIGHT_MIN, WEIGHT_MAX);
}

/** Microseconds of CPU in a period, never below what the kernel takes. */
export function quotaUsOf(cores: number, periodUs: number): number {
  return Math.max(QUOTA_US_MIN, Math.round(cores * periodUs));
}

export function isLegalPeriod(periodUs: number): boolean {
  return periodUs >= PERIOD_US_MIN && periodUs <= PERIOD_US_MAX;
}
