/** applied: what an actuator did with a plan. Published on `kvmgov.v1.applied.<host>.<partition>`. */
import { z } from "zod";
import { bootId, bootTimeUs, guestName, guestUuid, hostId, schemaVersion } from "./fields.ts";

/** One write to the kernel: a control file or a thread's affinity. Values as the kernel prints them. */
export const writeReportSchema = z.object({
  guest: guestUuid,
  /** `guest`, `vcpu N`, `emulator` or `iothread N`. */
  target: z.string().max(64),
  setting: z.enum(["bandwidth", "weight", "idle", "cpus", "affinity"]),
  /** File below its controller's mount point, or `affinity TID`. */
  file: z.string().max(4096),
  old: z.string().max(65_536),
  wanted: z.string().max(65_536),
  readBack: z.string().max(65_536).optional(),
  /** errno and message, where the write or the read-back failed. */
  error: z.string().max(1024).optional(),
});
export type WriteReport = z.infer<typeof writeReportSchema>;

export const driftReportSchema = writeReportSchema
  .pick({ guest: true, target: true, setting: true, file: true })
  .extend({
    applied: z.string().max(65_536),
    found: z.string().max(65_536),
  });
export type DriftReport = z.infer<typeof driftReportSchema>;

/** A setting that a local limit, or the group above, kept from being as planned. */
export const limitReportSchema = writeReportSchema.pick({ guest: true, target: true, setting: true }).extend({
  /** `floor`, `ceiling`, `host-cpus`, `step`, `cool-down`, `bounds` (of the group above), `impossible`. */
  limit: z.string().max(64),
  text: z.string().max(1024),
});
export type LimitReport = z.infer<typeof limitReportSchema>;

/** Why an actuator went back to the baseline, or would not follow a plan. */
export const switchReason = z.enum(["expired", "stopped", "operator"]);

export const appliedSchema = z.object({
  schema: schemaVersion,
  host: hostId,
  bootId,
  generation: z.int().min(0),
  /** Sequence of the plan's sample: when its counters were read, CLOCK_BOOTTIME in microseconds. */
  sequence: bootTimeUs,
  /** CLOCK_BOOTTIME when the last value was read back, in microseconds. */
  readBackAtUs: bootTimeUs,
  /** Values compared with the kernel's, written or not. */
  verified: z.int().min(0),
  writes: z.array(writeReportSchema).max(65_536),
  drift: z.array(driftReportSchema).max(65_536),
  /** Limits that bound; absent: none did. */
  limits: z.array(limitReportSchema).max(65_536).optional(),
  /** The dead-man's switch fired, or the actuator stops: all guests are back at their baseline. */
  switchFired: switchReason.optional(),
  /** Guests of the plan that were not touched, and why (gone, restarted, refused). */
  skipped: z.array(z.object({ guest: guestUuid, name: guestName, reason: z.string().max(1024) })).max(16_384),
  dryRun: z.boolean().optional(),
});
export type Applied = z.infer<typeof appliedSchema>;
