/**
 * sample: what one host's guests used during one check period. Published on `kvmgov.v1.sample.<host>.<partition>`.
 * Amounts are averages over the period in cores (a vCPU that ran all the time: 1).
 */
import { z } from "zod";
import {
  bootId,
  bootTimeUs,
  cores,
  cpuSet,
  declaredClass,
  guestName,
  guestUuid,
  hostId,
  schemaVersion,
  slaDelay,
} from "./fields.ts";

/** Part of the period: a little over 1 is the jitter of two clocks, not an error. */
const part = z.number().min(0).max(2);

export const vcpuSampleSchema = z.object({
  index: z.int().min(0).max(65_535),
  /** Time on a CPU, in cores. */
  run: part,
  /** Time runnable but waiting, in cores; includes throttled time. */
  delay: part,
  /** Context switches in the period; absent where no counter could be opened. */
  switches: z.int().min(0).optional(),
  /** Part of its switches that were involuntary, when that was last looked at; absent: not known (yet). */
  involuntaryPart: z.number().min(0).max(1).optional(),
  /** Moves to another CPU in the period. */
  migrations: z.int().min(0).optional(),
  /** Time throttled by a quota, in cores; absent where there is no quota or no file. */
  throttled: part.optional(),
  /** CPUs that the configuration pins this one vCPU to; absent: as the guest. Placement stays inside. */
  allowedCpus: cpuSet.optional(),
});
export type VcpuSample = z.infer<typeof vcpuSampleSchema>;

/** What an operator declared for a guest, and where (libvirt metadata, or a rule of the policy file). */
export const declaredSchema = z.object({
  class: declaredClass,
  /** CPU promised to the guest, in cores. */
  slaCores: cores.optional(),
  /** Largest part of the time that its vCPUs may wait to run, in 99 of 100 check periods: for services alone. */
  slaDelay: slaDelay.optional(),
  /** Where the declaration was found: `metadata`, `rule N`; names it in reasons. */
  source: z.string().max(256).optional(),
});
export type Declared = z.infer<typeof declaredSchema>;

/** Why a guest is left alone unless its class is declared. */
export const exemptReason = z.enum(["dedicated", "realtime", "cpu-pm"]);
export type ExemptReason = z.infer<typeof exemptReason>;

export const guestSampleSchema = z.object({
  uuid: guestUuid,
  name: guestName,
  /** The VMM process: with its start time (clock ticks after boot) it tells a restarted guest from the old one. */
  pid: z.int().min(1),
  startTime: z.int().min(0),
  state: z.enum(["running", "paused", "migrating", "unknown"]),
  declared: declaredSchema,
  exemptReason: exemptReason.optional(),
  /** First period of this guest, or a counter went back: rates are not to be trusted. */
  incomplete: z.boolean().optional(),
  /** CPUs that the guest's own configuration pins it to; absent: anywhere. Placement stays inside. */
  allowedCpus: cpuSet.optional(),
  /** NUMA nodes that hold the guest's memory, and which part of it; absent: not read. */
  memoryNodes: z
    .array(z.object({ node: z.int().min(0).max(65_535), share: z.number().min(0).max(1) }))
    .max(1024)
    .optional(),
  vcpus: z.array(vcpuSampleSchema).min(1).max(4096),
  /** Use by the VMM's other threads (emulator, I/O threads, vhost), in cores. */
  otherRun: cores,
});
export type GuestSample = z.infer<typeof guestSampleSchema>;

export const sampleSchema = z.object({
  schema: schemaVersion,
  host: hostId,
  bootId,
  /** CLOCK_BOOTTIME when the counters were read: orders samples of one boot, never restarts within it. */
  sequence: bootTimeUs,
  wallTimeMs: z.int().min(0),
  /** Time since the sample before, in milliseconds. */
  periodMs: z.number().positive().max(86_400_000),
  /** Online CPUs that guests may use (isolated ones are left out). */
  cpus: cpuSet,
  /** Use of those CPUs by everything that is no guest of this sample, in cores. */
  hostRun: cores,
  /** PSI `some` of CPU: part of the period in which some task waited; absent without PSI. */
  pressure: z.number().min(0).max(2).optional(),
  guests: z.array(guestSampleSchema).max(16_384),
  /** Guests that exist and could not be read: named, never left at zero. */
  unreadable: z
    .array(z.object({ uuid: guestUuid.optional(), name: guestName, reason: z.string().max(1024) }))
    .max(16_384),
});
export type Sample = z.infer<typeof sampleSchema>;
