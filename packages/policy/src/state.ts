/** What is remembered of a host between two ticks: the two lists, the counts, and the last plan. */
import { z } from "zod";
import { bootId, bootTimeUs, declaredClass, guestClass, guestName, guestUuid } from "./contracts/fields.ts";
import { planSchema } from "./contracts/plan.ts";

/** What is remembered of a service that declared a delay; the rungs: decide/delay-ladder.ts. */
export const delayStateSchema = z.object({
  /** Rung that the host's scientific guests are on. */
  rung: z.int().min(0).max(64),
  /** Calm periods since one exceeded, or since the rung changed. */
  calm: z.int().min(0).max(1_000_000),
  /** Periods that exceeded what was declared, in hundredths, less one in each period. */
  debt: z.int().min(0).max(1_000_000),
  /** Calm periods before the rung that failed is tried again. */
  patience: z.int().min(1).max(1_000_000),
  /** Lowest rung that was given up and has not proved itself since. */
  failed: z.int().min(0).max(64).optional(),
});
export type DelayState = z.infer<typeof delayStateSchema>;

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
  /**
   * For how long one of its vCPUs has starved while they are held apart, in microseconds (decide/apart.ts). No store keeps it: who takes
   * the host over begins at 0, which costs time alone.
   */
  starvedUs: z.int().min(1).optional().catch(undefined),
  /** Of a service that declared a delay (preset `default`); what cannot be read is forgotten, which costs time alone. */
  delay: delayStateSchema.optional().catch(undefined),
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
