/** recording: samples of one host in a file (docs/recording-format.md). The header's contract; records are the bus's own. */
import { z } from "zod";
import { settingsSchema } from "../settings.ts";
import { hostId } from "./fields.ts";

/** Version of the format: stands in the first bytes of a file and in its header. */
export const RECORDING_FORMAT = 1;

export const recordingHeaderSchema = z.object({
  format: z.literal(RECORDING_FORMAT),
  host: hostId,
  /** Wall time of the recorder when it began the file. */
  startedAtMs: z.int().min(0),
  /** Program and version that wrote it. */
  program: z.string().max(256),
  /** What the host was governed by, as far as the recorder knew; keys that a file lacks have their defaults. */
  settings: z.object(settingsSchema.shape),
  /** Where the recorder had the settings from. */
  settingsFrom: z.string().max(4096),
});
export type RecordingHeader = z.infer<typeof recordingHeaderSchema>;
