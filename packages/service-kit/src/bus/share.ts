/** Who takes which part of the work, without anybody who decides it: each member computes the same from the same names. Pure. */

/**
 * Divides parts among members: each part to one member, their numbers as equal as they can be. By highest random weight, so that
 * a member that comes or goes moves few parts of the others.
 * @returns the member of each part, by its number; empty where there are no members
 */
export function divideParts(members: readonly string[], parts: number): string[] {
  const names = [...new Set(members)].sort();
  if (names.length === 0) return [];
  const loads = new Map(names.map((name) => [name, 0]));
  const floor = Math.floor(parts / names.length);
  let above = parts % names.length;
  return Array.from({ length: parts }, (_, part) => {
    let best: string | undefined;
    let bestWeight = -1;
    for (const name of names) {
      const load = loads.get(name) ?? 0;
      if (load > floor || (load === floor && above === 0)) continue;
      const weight = weightOf(name, part);
      if (weight > bestWeight) [best, bestWeight] = [name, weight];
    }
    if (best === undefined) throw new RangeError(`part ${part} of ${parts} fits no member`);
    const load = (loads.get(best) ?? 0) + 1;
    loads.set(best, load);
    if (load > floor) above--;
    return best;
  });
}

/** FNV-1a of both, then mixed (murmur3's finalizer): parts next to each other must not go together. */
function weightOf(member: string, part: number): number {
  let hash = 0x811c9dc5 ^ part;
  for (let at = 0; at < member.length; at++) hash = Math.imul(hash ^ member.charCodeAt(at), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return (hash ^ (hash >>> 16)) >>> 0;
}
