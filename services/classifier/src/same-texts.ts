/**
 * One copy of each guest's texts from tick to tick. A sample brings all of them anew, and what is decided on it holds them until the
 * next one: so every tick of every host would leave texts to be collected, and a text that was never looked up has to be
 * read whole before it is found in a map.
 */
import type { HostState, Sample } from "@kvm-governor/policy";

/** Puts the texts of the last plan in place of equal ones of a sample that was just read and is nobody else's. */
export function shareTexts(sample: Sample, before: HostState | undefined): void {
  if (before === undefined) return;
  if (sample.bootId === before.bootId) sample.bootId = before.bootId;
  const known = before.plan?.guests ?? [];
  // Both are in the order of the collector, but for guests that have no plan, and those that left.
  let next = 0;
  for (const guest of sample.guests) {
    for (let at = next; at < Math.min(known.length, next + LOOKED_AT_MAX); at++) {
      const own = known[at];
      if (own?.uuid !== guest.uuid) continue;
      guest.uuid = own.uuid;
      if (own.name === guest.name) guest.name = own.name;
      next = at + 1;
      break;
    }
  }
}

/** Where more guests left at once, the rest are found at the next tick. */
const LOOKED_AT_MAX = 8;
