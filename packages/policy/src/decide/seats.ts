/** Looks for the CPUs that suit a guest best, among those that are open to it. */
import type { Domain } from "../topology.ts";
import { layoutCost } from "./layout-cost.ts";
import type { MemoryShare, Terrain } from "./layout-cost.ts";

export interface Seats {
  /** Places of the topology, ascending. */
  places: readonly number[];
  cost: number;
}

/**
 * The best layout that was found. Every domain is tried, the small ones first, since what fits into one cache need not
 * leave it; of layouts that cost the same, the one that leaves least of its domain over, so that large domains stay whole
 * for large guests; then the highest CPUs, since the host's own work tends to sit on the lowest.
 * @param open 1 for each place that may be taken
 * @returns undefined: fewer than `count` are open
 */
export function findSeats(
  terrain: Terrain,
  open: Uint8Array,
  count: number,
  memory?: readonly MemoryShare[],
): Seats | undefined {
  const wholeUpTo = countWhole(terrain, open);
  let best: Seats | undefined;
  let bestLeft = Infinity;
  for (const domain of terrain.topology.domains) {
    if (countOpen(open, domain) < count) continue;
    const places = fill({ terrain, open, wholeUpTo }, domain, count);
    const cost = layoutCost(terrain, places, memory);
    const left = wholeIn(wholeUpTo, domain) - count;
    const isBetter = best === undefined || cost < best.cost || (cost === best.cost && left <= bestLeft);
    if (!isBetter) continue;
    best = { places, cost };
    bestLeft = left;
  }
  return best;
}

interface Field {
  terrain: Terrain;
  open: Uint8Array;
  /** Sum of {@link countWhole} below each place. */
  wholeUpTo: Int32Array;
}

/** Open CPUs of cores that are open as a whole, summed up: [n] counts those at the places below n. */
function countWhole({ topology, usable }: Terrain, open: Uint8Array): Int32Array {
  const { coreEnd } = topology;
  const sums = new Int32Array(open.length + 1);
  for (let first = 0; first < open.length;) {
    const end = coreEnd[first] ?? first + 1;
    const whole = isWhole(open, usable, first, end);
    for (let place = first; place < end; place++) {
      sums[place + 1] = (sums[place] ?? 0) + (whole ? (open[place] ?? 0) : 0);
    }
    first = end;
  }
  return sums;
}

/** Whether all usable threads of a core are open, and there are any. */
function isWhole(open: Uint8Array, usable: Uint8Array, first: number, end: number): boolean {
  let some = 0;
  for (let place = first; place < end; place++) {
    if (usable[place] === 1 && open[place] === 0) return false;
    some += open[place] ?? 0;
  }
  return some > 0;
}

function countOpen(open: Uint8Array, { first, end }: Domain): number {
  let count = 0;
  for (let place = first; place < end; place++) count += open[place] ?? 0;
  return count;
}

const wholeIn = (wholeUpTo: Int32Array, { first, end }: Domain): number =>
  (wholeUpTo[end] ?? 0) - (wholeUpTo[first] ?? 0);

/** So many open places of a domain, ascending: whole cores first, then parts of cores that are shared already. */
function fill(field: Field, domain: Domain, count: number): number[] {
  const chosen = new Set<number>();
  takeCores(field, domain, count, chosen);
  if (chosen.size < count) takeThreads(field, domain, count, chosen);
  return [...chosen].sort((a, b) => a - b);
}

/** Whole cores, from as few parts of the domain as possible. @returns how many CPUs are still missing */
function takeCores(field: Field, domain: Domain, count: number, chosen: Set<number>): number {
  if (domain.children.length === 0) return takeCoresOfCache(field, domain, count, chosen);
  const parts = domain.children.map((part) => ({ part, whole: wholeIn(field.wholeUpTo, part) }));
  let missing = count;
  while (missing > 0) {
    // The smallest part that holds all that is missing; where none does, the largest.
    let next: (typeof parts)[number] | undefined;
    for (const each of parts) {
      if (each.whole === 0) continue;
      const isBetter =
        next === undefined ||
        (each.whole >= missing
          ? next.whole < missing || each.whole <= next.whole
          : next.whole < missing && each.whole >= next.whole);
      if (isBetter) next = each;
    }
    if (next === undefined) break;
    missing = takeCores(field, next.part, missing, chosen);
    next.whole = 0;
  }
  return missing;
}

function takeCoresOfCache(field: Field, domain: Domain, count: number, chosen: Set<number>): number {
  const { terrain, open } = field;
  let missing = count;
  for (const first of coresOf(field, domain)) {
    if (missing === 0) break;
    const end = terrain.topology.coreEnd[first] ?? first + 1;
    if (!isWhole(open, terrain.usable, first, end)) continue;
    let threads = 0;
    for (let place = first; place < end; place++) threads += open[place] ?? 0;
    if (threads > missing) continue;
    for (let place = first; place < end; place++) if (open[place] === 1) chosen.add(place);
    missing -= threads;
  }
  return missing;
}

/**
 * First places of the cores of a domain: the fast ones first, then the unclaimed; then those with more threads, so that
 * single threads remain for odd numbers; then the highest.
 */
function coresOf({ terrain, open }: Field, { first, end }: Domain): number[] {
  const { topology, claimed } = terrain;
  const cores: number[] = [];
  const threads = (place: number): number => {
    let count = 0;
    for (let at = place; at < (topology.coreEnd[place] ?? 0); at++) count += open[at] ?? 0;
    return count;
  };
  let isMixed = topology.isAsymmetric;
  let most = 0;
  for (let place = end - 1; place >= first; place--) {
    isMixed ||= (claimed[place] ?? 0) > 0;
    if (topology.coreFirst[place] !== place) continue;
    const count = threads(place);
    if (count === 0) continue;
    isMixed ||= most > 0 && count !== most;
    most = Math.max(most, count);
    cores.push(place);
  }
  if (!isMixed) return cores;
  const worth = (place: number): number => (topology.capacity[place] ?? 1) * 2 - (claimed[place] ?? 0);
  return cores.sort((a, b) => worth(b) - worth(a) || threads(b) - threads(a));
}

/** Single threads: close to what is chosen, and of cores whose other threads somebody has already. */
function takeThreads(field: Field, domain: Domain, count: number, chosen: Set<number>): void {
  const { open, wholeUpTo } = field;
  const caches = cachesOf(domain).map((cache) => {
    let used = 0;
    for (let place = cache.first; place < cache.end; place++) used += Number(chosen.has(place));
    return { cache, used, open: countOpen(open, cache) - used };
  });
  caches.sort((a, b) => b.used - a.used || b.open - a.open || b.cache.first - a.cache.first);
  for (const wantsWhole of [false, true]) {
    for (const { cache } of caches) {
      for (let place = cache.end - 1; place >= cache.first && chosen.size < count; place--) {
        if (open[place] === 0) continue;
        const isOfWhole = (wholeUpTo[place + 1] ?? 0) > (wholeUpTo[place] ?? 0);
        if (isOfWhole !== wantsWhole || chosen.has(place)) continue;
        chosen.add(place);
      }
    }
  }
}

function cachesOf(domain: Domain): Domain[] {
  return domain.children.length === 0 ? [domain] : domain.children.flatMap(cachesOf);
}
