/**
 * The audit: what was written to the kernel, by whom and why. One JSON object a line, in the order in which it happened, so that
 * `jq`, `grep` and `tail -f` serve as well as `kvmgov audit`.
 */
import { z } from "zod";

export const auditRecordSchema = z.object({
  /** Wall time, ISO 8601 in UTC. */
  time: z.string(),
  /**
   * `write`: a plan's. `restore`: on the way back to the baseline. `drift`: found, written by somebody else.
   * `baseline`: a deliberate change that is from now on what the guest goes back to.
   */
  event: z.enum(["write", "restore", "drift", "baseline"]),
  /** Process that wrote. */
  pid: z.number(),
  guest: z.string(),
  name: z.string(),
  /** `guest`, `vcpu N`, `emulator` or `iothread N`. */
  target: z.string(),
  setting: z.string(),
  /** Absolute path, or `affinity TID`. */
  file: z.string(),
  /** As the kernel printed it before; for drift: what had been applied last. */
  old: z.string(),
  /** What was written; for drift: what was found. */
  new: z.string(),
  /** What the kernel printed right afterwards; absent where it could not be read. */
  readBack: z.string().optional(),
  error: z.string().optional(),
  /** Generation of the plan; absent where none was followed. */
  generation: z.number().optional(),
  reason: z.string(),
});
export type AuditRecord = z.infer<typeof auditRecordSchema>;

/** One line, the newline included. */
export const encodeAuditRecord = (record: AuditRecord): string => `${JSON.stringify(record)}\n`;

export interface ParsedAudit {
  records: AuditRecord[];
  /** Lines that are not whole: a process or the machine died in the middle of one. */
  torn: number;
}

/** Text of an audit file. Empty lines end a torn one and count for nothing. Never throws. */
export function parseAudit(text: string): ParsedAudit {
  const parsed: ParsedAudit = { records: [], torn: 0 };
  for (const line of text.split("\n")) {
    if (line === "") continue;
    const record = parseLine(line);
    if (record === undefined) parsed.torn++;
    else parsed.records.push(record);
  }
  return parsed;
}

function parseLine(line: string): AuditRecord | undefined {
  try {
    return auditRecordSchema.safeParse(JSON.parse(line)).data;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
