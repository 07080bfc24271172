/** Order statistics of repeated measurements. */

/** Median and spread of one figure over the rounds of a benchmark. */
export interface Spread {
  median: number;
  p10: number;
  p90: number;
  p99: number;
  min: number;
  max: number;
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

export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  return {
    median: quantile(sorted, 0.5),
    p10: quantile(sorted, 0.1),
    p90: quantile(sorted, 0.9),
    p99: quantile(sorted, 0.99),
    min: quantile(sorted, 0),
    max: quantile(sorted, 1),
    n: sorted.length,
  };
}
