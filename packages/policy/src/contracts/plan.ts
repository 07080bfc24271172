/**
 * plan: what one host's guests shall be held to. Stored in the KV bucket `plans`, one key a host.
 * It leaves the writer no choice: every setting of every guest is a value or `baseline` (as found before us).
 */
import { z } from "zod";
import {
  bootId,
  bootTimeUs,
  cores,
  cpuSet,
  guestClass,
  guestName,
  guestUuid,
  hostId,
  schemaVersion,
  slaDelay,
} from "./fields.ts";

/** Bandwidth of one vCPU: cores, no limit, or as found. */
export const bandwidthSchema = z.union([z.literal("baseline"), z.literal("unlimited"), cores]);
export type Bandwidth = z.infer<typeof bandwidthSchema>;

/** Weight of a guest against others, 1 being the kernel's default; `idle` ranks below every weight (`cpu.idle`). */
export const weightSchema = z.union([
  z.literal("baseline"),
  z.literal("idle"),
  z.number().min(0.001).max(1000),
]);
export type Weight = z.infer<typeof weightSchema>;

export const cpusSchema = z.union([z.literal("baseline"), cpuSet]);
export type Cpus = z.infer<typeof cpusSchema>;

export const vcpuPlanSchema = z.object({
  index: z.int().min(0).max(65_535),
  bandwidth: bandwidthSchema,
  cpus: cpusSchema,
});
export type VcpuPlan = z.infer<typeof vcpuPlanSchema>;

/** One reason in words, with a code that programs can rely on. */
export const reasonSchema = z.object({ code: z.string().max(64), text: z.string().max(1024) });
export type Reason = z.infer<typeof reasonSchema>;

export const guestPlanSchema = z.object({
  uuid: guestUuid,
  name: guestName,
  /** The process that was sampled: a plan never reaches a guest that restarted since. */
  pid: z.int().min(1),
  startTime: z.int().min(0),
  class: guestClass,
  /** Crossing count and sequence of the last move: enough to rebuild a lost store. */
  count: z.int().min(0),
  since: bootTimeUs,
  /** SLA that it is held to, at most what it can use, scaled where SLAs exceed the host; absent: none declared. */
  slaCores: cores.optional(),
  /** Of a service: largest part of the time that its vCPUs may wait, as declared; absent: none declared. */
  slaDelay: slaDelay.optional(),
  vcpus: z.array(vcpuPlanSchema).min(1).max(4096),
  weight: weightSchema,
  /** CPUs of the VMM's other threads. */
  emulatorCpus: cpusSchema,
  ioThreadCpus: cpusSchema,
  /** Length of the bandwidth period in microseconds; absent: the kernel's or the guest's own. */
  periodUs: z.int().min(1000).max(1_000_000).optional(),
  reasons: z.array(reasonSchema).max(64),
});
export type GuestPlan = z.infer<typeof guestPlanSchema>;

export const planSchema = z.object({
  schema: schemaVersion,
  host: hostId,
  bootId,
  /** Grows with every change; the same generation with a newer sample renews a plan. */
  generation: z.int().min(1),
  /** Sequence of the sample it rests on: the host's own CLOCK_BOOTTIME, in microseconds. */
  sequence: bootTimeUs,
  /** The host's own CLOCK_BOOTTIME from which on the plan is void, in microseconds. */
  expiresAtUs: bootTimeUs,
  preset: z.string().max(64),
  guests: z.array(guestPlanSchema).max(16_384),
});
export type Plan = z.infer<typeof planSchema>;

/**
 * A plan as it lies in the bucket: with the trace that it belongs to, which neither decisions nor the store know. Absent where
 * nothing is traced; what is no text of a traceparent's length counts as absent, and never costs the plan.
 */
export const publishedPlanSchema = planSchema.extend({
  traceparent: z.string().max(64).optional().catch(undefined),
});
export type PublishedPlan = z.infer<typeof publishedPlanSchema>;
