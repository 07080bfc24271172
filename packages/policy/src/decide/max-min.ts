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
 * @param spare what is left when everybody has the floor: less than what all could take
 */
function commonLevel(spare: number, claims: readonly Claim[]): number {
  const floors = new Float64Array(claims.length);
  const ceilings = new Float64Array(claims.length);
  for (let i = 0; i < claims.length; i++) {
    floors[i] = claims[i]?.floor ?? 0;
    ceilings[i] = claims[i]?.ceiling ?? 0;
  }
  floors.sort();
  ceilings.sort();
  let left = spare;
  let level = 0;
  let joined = 0;
  let full = 0;
  while (full < claims.length) {
    const nextFloor = floors[joined] ?? Infinity;
    const nextCeiling = ceilings[full] ?? Infinity;
    const at = Math.min(nextFloor, nextCeiling);
    const takers = joined - full;
    const needed = (at - level) * takers;
    if (needed > left) return level + left / takers;
    left -= needed;
    level = at;
    if (nextFloor <= nextCeiling) joined += 1;
    else full += 1;
  }
  return level;
}
