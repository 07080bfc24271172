/** Max-min fair division: nobody gets more while somebody who could use it has less. */

export interface Claim {
  /** Always given, even where the capacity does not suffice. */
  floor: number;
  /** Never exceeded; at least the floor. */
  ceiling: number;
}

/**
 * Divides a capacity: everyone gets the same level, but at least the floor and at most the ceiling.
 * @returns one amount per claim, in the same order; their sum is the capacity, limited to what floors and ceilings
 *   allow
 */
export function maxMinFair(capacity: number, claims: readonly Claim[]): number[] {
  let least = 0;
  let most = 0;
  for (const { floor, ceiling } of claims) {
    least += floor;
    most += ceiling;
  }
  // Most hosts, most of the time.
  if (capacity >= most) return claims.map(({ ceiling }) => ceiling);
  if (capacity <= least) return claims.map(({ floor }) => floor);
  const level = commonLevel(capacity - least, claims);
  return claims.map(({ floor, ceiling }) => Math.max(floor, Math.min(level, ceiling)));
}

/**
 * Raises the level from 0; each claim takes part between its floor and its ceiling.
 * @param spare what is left when everybody has the floor
 */
function commonLevel(spare: number, claims: readonly Claim[]): number {
  const steps = claims.flatMap(({ floor, ceiling }) => [
    { at: floor, takers: 1 },
    { at: ceiling, takers: -1 },
  ]);
  steps.sort((a, b) => a.at - b.at);
  let left = spare;
  let level = 0;
  let takers = 0;
  for (const step of steps) {
    const needed = (step.at - level) * takers;
    if (needed > left) break;
    left -= needed;
    level = step.at;
    takers += step.takers;
  }
  return takers > 0 && left > 0 ? level + left / takers : level;
}
