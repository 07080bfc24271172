/** Guests by name or UUID, among the hosts that were decided on here lately. */
import type { Views } from "../views.ts";
import type { AnswerOf } from "./messages.ts";
import { FOUND_MAX } from "./messages.ts";

export type FoundGuest = AnswerOf<"find">["guests"][number];

export interface Found {
  guests: FoundGuest[];
  /** How many there are beyond those. */
  more: number;
}

export function findGuests(wanted: string, views: Pick<Views, "currentTicks">): Found {
  const found: FoundGuest[] = [];
  const uuidWanted = wanted.toLowerCase();
  for (const [host, { report }] of views.currentTicks()) {
    for (const { uuid, name, class: kind } of report.guests) {
      if (name === wanted || uuid === uuidWanted) found.push({ host, uuid, name, class: kind });
    }
  }
  return boundFound(found);
}

export function boundFound(found: readonly FoundGuest[], more = 0): Found {
  return { guests: found.slice(0, FOUND_MAX), more: more + Math.max(0, found.length - FOUND_MAX) };
}
