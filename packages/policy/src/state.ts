/** What is remembered of a host between two ticks: the two lists, the counts, and the last plan. */
import { z } from "zod";
import { bootId, bootTimeUs, declaredClass, guestClass, guestName, guestUuid } from "./contracts/fields.ts";
import { planSchema } from "./contracts/plan.ts";

export const guestStateSchema = z.object({
  name: guestName,
  /** The list the guest is in: `service` is LIST_se, `scientific` LIST_sc. */
  class: guestClass,
  /** Crossing count (paper, Algorithm 1): never below 0, 0 after a move. */
  count: z.int().min(0),
  /** Sequence at which the guest came into its list. */
  since: bootTimeUs,
  declared: declaredClass,
  /** Last usage that could be read, as part of its vCPUs. */
  usage: z.number().min(0),
});
export type GuestState = z.infer<typeof guestStateSchema>;

export const hostStateSchema = z.object({
  bootId,
  sequence: bootTimeUs,
  wallTimeMs: z.int().min(0),
  generation: z.int().min(0),
  guests: z.record(guestUuid, guestStateSchema),
  plan: planSchema.optional(),
});
export type HostState = z.infer<typeof hostStateSchema>;
