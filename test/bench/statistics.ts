/** Order statistics of repeated measurements. */

/** Median and spread of one figure over the rounds of a benchmark. */
export interface Spread {
  median: number;
  p10: number;
  p90: number;
  p99: number;
  min: number;
  max: number;
  /** Confidence interval of the median, of 95% or a little more, see {@link medianInterval}. */
  medianLow: number;
  medianHigh: number;
  n: number;
}

/**
 * Quantile by linear interpolation between order statistics (type 7 of Hyndman and Fan).
 * @param sorted ascending, not empty
 */
export function quantile(sorted: readonly number[], part: number): number {
  if (sorted.length === 0) throw new RangeError("quantile of no values");
  const position = part * (sorted.length - 1);
  const below = Math.floor(position);
  const low = sorted[below] ?? 0;
  const high = sorted[Math.min(below + 1, sorted.length - 1)] ?? low;
  return low + (high - low) * (position - below);
}

/** Part of the intervals that may miss the median on either side. */
const MISSED = 0.025;

/**
 * Confidence interval of the median from order statistics: the values may be of any distribution. With fewer than 6 values it is all of
 * them, and covers less than 95%.
 * @param sorted ascending, not empty
 */
export function medianInterval(sorted: readonly number[]): [low: number, high: number] {
  const n = sorted.length;
  if (n === 0) throw new RangeError("interval of no values");
  // Values below the median are as many as heads in n throws of a coin; `tail`: of at most `at` heads.
  let term = 0.5 ** n;
  let tail = term;
  let at = 0;
  while (tail + (term * (n - at)) / (at + 1) <= MISSED) {
    term *= (n - at) / (at + 1);
    tail += term;
    at++;
  }
  return [sorted[at] ?? 0, sorted[n - 1 - at] ?? 0];
}

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const [medianLow, medianHigh] = medianInterval(sorted);
  return {
    median: quantile(sorted, 0.5),
    p10: quantile(sorted, 0.1),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
    medianLow,
    medianHigh,
    n: sorted.length,
  };
}
