/** What a guest takes along when it migrates: the list that it is in, its count, and for how long. Pure. */
import { z } from "zod";
import { declaredClass, guestClass } from "./contracts/fields.ts";
import { reasonSchema } from "./contracts/plan.ts";
import type { Sample } from "./contracts/sample.ts";
import { isExempt } from "./decide/use.ts";
import type { HostState } from "./state.ts";

/** Times are lengths: the clocks of two hosts are never compared. */
export const carriedGuestSchema = z.object({
  class: guestClass,
  count: z.int().min(0),
  /** For how long it had been in its list when this was written, in microseconds of its host's clock. */
  inListUs: z.int().min(0),
  declared: declaredClass,
  usage: z.number().min(0),
  /** Why it is in its list: the first reason of its last plan. */
  reason: reasonSchema.optional(),
});
export type CarriedGuest = z.infer<typeof carriedGuestSchema>;

/** A guest that came from another host, with what is known of it there. */
export interface ArrivedGuest extends CarriedGuest {
  /** Host that it comes from. */
  from: string;
}

/** What is to be carried over of a guest of this host; undefined where the host does not have it. */
export function carriedGuest(state: HostState, uuid: string): CarriedGuest | undefined {
  const guest = state.guests[uuid];
  if (guest === undefined) return undefined;
  const reason = state.plan?.guests.find((plan) => plan.uuid === uuid)?.reasons[0];
  return {
    class: guest.class,
    count: guest.count,
    // Known from another boot of the host, its `since` may lie ahead of this boot's clock.
    inListUs: Math.max(0, state.sequence - guest.since),
    declared: guest.declared,
    usage: guest.usage,
    ...(reason !== undefined && { reason }),
  };
}

/** UUIDs of the guests that a decision on this sample would see for the first time on this host. */
export function newcomers(previous: HostState | undefined, sample: Sample): string[] {
  const known = previous?.guests ?? {};
  const uuids = new Set<string>();
  for (const guest of sample.guests)
    if (known[guest.uuid] === undefined && !isExempt(guest)) uuids.add(guest.uuid);
  return [...uuids];
}
