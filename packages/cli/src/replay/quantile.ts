/**
 * Quantile by linear interpolation between order statistics.
 * @param sorted ascending, not empty
 */
export function quantileOf(sorted: readonly number[], part: number): number {
  const position = part * (sorted.length - 1);
  const low = sorted[Math.floor(position)] ?? 0;
  const high = sorted[Math.ceil(position)] ?? low;
  return low + (high - low) * (position - Math.floor(position));
}
