/** Limits of the streams and buckets: configuration of whoever manages the bus. */
import { z } from "zod";

const ageMs = z
  .int()
  .min(1000)
  .max(7 * 86_400_000);

export const streamShape = {
  /** Copies of each stream and bucket in a NATS cluster: 1, or 3 where a server may fail. */
  streamReplicas: z.int().min(1).max(5).default(1),
  /** Largest size of one stream in bytes; the oldest messages go first. */
  streamBytesMax: z
    .int()
    .min(1024 * 1024)
    .default(256 * 1024 * 1024),
  /** How long samples are kept, in milliseconds: a tick that is older than its plan would live is worthless. */
  sampleAgeMs: ageMs.default(60_000),
  /** How long applied reports are kept, in milliseconds. */
  appliedAgeMs: ageMs.default(600_000),
  /** How long the announcement of a host is kept, in milliseconds. */
  hostAgeMs: ageMs.default(300_000),
  /** How long messages that were refused are kept to be looked at, in milliseconds. */
  refusedAgeMs: ageMs.default(86_400_000),
};

export const streamSettingsSchema = z.object(streamShape);
export type StreamSettings = z.infer<typeof streamSettingsSchema>;
