/** Records each write right after it was made: a process that is killed between two writes has recorded the first. */
import type { WriteResult } from "../controls/execute.ts";
import { withoutNewline, type ControlIo } from "../controls/kernel-io.ts";
import type { AuditEntry, AuditLog } from "./log.ts";

/** What the writes are about. */
export interface AuditSubject {
  event: "write" | "restore";
  guest: { uuid: string; name: string };
  /** Generation of the plan that is followed, where one is. */
  generation?: number | undefined;
  reason: string;
}

/** @returns undefined without an audit: what need not be recorded need not be read */
export function witnessOf(
  audit: Pick<AuditLog, "record"> | undefined,
  subject: AuditSubject,
  io: Pick<ControlIo, "read">,
): ((result: WriteResult) => void) | undefined {
  return audit && ((result) => audit.record(entryOf(subject, result, io)));
}

function entryOf(
  { event, guest, generation, reason }: AuditSubject,
  { write, old, error }: WriteResult,
  io: Pick<ControlIo, "read">,
): AuditEntry {
  // Moving a thread leaves nothing to read.
  const raw = write.op === "move" ? undefined : io.read(write.key);
  const { target, setting, key: file, text } = write;
  return {
    event,
    guest: guest.uuid,
    name: guest.name,
    target,
    setting,
    file,
    old,
    new: text,
    ...(raw !== undefined && { readBack: withoutNewline(raw) }),
    ...(error !== undefined && { error }),
    ...(generation !== undefined && { generation }),
    reason,
  };
}
