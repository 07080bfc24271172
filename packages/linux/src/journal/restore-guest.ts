/** Takes one guest back to its baseline, after checking that it is still the guest that the baseline was taken from. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import type { AuditLog } from "../audit/log.ts";
import { witnessOf } from "../audit/witness.ts";
import { threadsOfGroup } from "../cgroup/ownership.ts";
import { bandwidthKeys } from "../controls/bandwidth.ts";
import { executeWrites, readBack, type WriteResult } from "../controls/execute.ts";
import { readValues, withoutNewline, type ControlIo } from "../controls/kernel-io.ts";
import { restoreWrites, type BaselineValue } from "../controls/restore-writes.ts";
import { affinityKey } from "../controls/write.ts";
import type { JournalEntry } from "./entries.ts";
import { startTimeOf } from "./host-lock.ts";
import type { FileBaseline, GuestRun } from "./records.ts";
import { restoreDropIns } from "./restore-drop-in.ts";

export interface GuestRestore {
  guest: GuestRun;
  /** `gone`: that run of the guest has ended, nothing was written. `failed`: something does not read as it did before. */
  outcome: "restored" | "gone" | "failed";
  writes: readonly WriteResult[];
  /** Values that were read at the end and compared with the baseline. */
  verified: number;
  mountPoints: readonly string[];
  /** What could not be restored, or was not meant to be. */
  notes: readonly string[];
}

export interface RestoreContext {
  io: ControlIo;
  procRoot: string;
  bootId: string;
  /** Where systemd keeps transient units; default: /run/systemd/transient. */
  systemdRoot?: string;
  audit?: Pick<AuditLog, "record"> | undefined;
  /** Why, for the audit. */
  reason?: string;
  /** Generation of the plan that was followed, where one was. */
  generation?: number | undefined;
}

export async function restoreGuest(entry: JournalEntry, context: RestoreContext): Promise<GuestRestore> {
  const { guest, mountPoints } = entry;
  const mismatch = runMismatch(entry, context);
  if (mismatch !== undefined)
    return { guest, mountPoints, outcome: "gone", writes: [], verified: 0, notes: [mismatch] };
  const notes: string[] = [];
  const files = [...entry.files.values()].filter((file) => isSameGroup(file, notes));
  const threads = [...entry.threads.values()].filter(
    ({ tid, startTime }) => startTimeOf(context.procRoot, guest.pid, tid) === startTime,
  );
  const baseline: BaselineValue[] = [
    ...files.map((file) => ({ ...file, text: withoutNewline(file.raw) })),
    ...threads.map(({ tid, target, cpus }) => ({
      key: affinityKey(tid),
      version: 1 as const,
      target,
      setting: "affinity" as const,
      text: cpus,
    })),
  ];
  const values = readValues(context.io, keysToRead(files));
  const writes = restoreWrites({ baseline, values, threadsOf: threadsOfGroup });
  const { audit, reason = "restored from the journal", generation } = context;
  const witness = witnessOf(audit, { event: "restore", guest, generation, reason }, context.io);
  const results = readBack(await executeWrites(writes, context.io, undefined, witness), context.io);
  const different = [
    ...files.filter((file) => context.io.read(file.key) !== file.raw).map((file) => file.key),
    ...threads
      .map(({ tid }) => tid)
      .filter((tid) => affinityDiffers(tid, entry, context))
      .map(affinityKey),
  ].filter((key) => isStillThere(key, context));
  for (const key of different) notes.push(`${key} does not read as before`);
  if (different.length === 0) notes.push(...(await restoreDropIns(files, context.io, context.systemdRoot)));
  return {
    guest,
    mountPoints,
    outcome: different.length === 0 ? "restored" : "failed",
    writes: results,
    verified: baseline.length,
    notes,
  };
}

/** Why an entry is not of anything that runs now. */
function runMismatch({ bootId, guest }: JournalEntry, context: RestoreContext): string | undefined {
  if (bootId !== context.bootId) return "its baseline is of another boot";
  const startTime = startTimeOf(context.procRoot, guest.pid);
  if (startTime === undefined) return `process ${guest.pid} is gone`;
  return startTime === guest.startTime ? undefined : `process ${guest.pid} is another one by now`;
}

function isSameGroup(file: FileBaseline, notes: string[]): boolean {
  const group = statSync(dirname(file.key), { throwIfNoEntry: false });
  if (group?.ino === file.inode) return true;
  notes.push(`${dirname(file.key)} ${group === undefined ? "is gone" : "is another group by now"}`);
  return false;
}

function keysToRead(files: readonly FileBaseline[]): Set<string> {
  const keys = new Set(files.map((file) => file.key));
  for (const { key, version, setting } of files) {
    // The order depends on the whole setting and on the limit of the group above.
    if (setting === "bandwidth") {
      for (const dir of [dirname(key), dirname(dirname(key))]) {
        for (const name of bandwidthKeys(version, dir)) keys.add(name);
      }
    }
  }
  return keys;
}

function affinityDiffers(tid: number, entry: JournalEntry, { io }: RestoreContext): boolean {
  return io.read(affinityKey(tid)) !== entry.threads.get(tid)?.cpus;
}

/** A thread or group that went away in the middle is normal, and no failure. */
function isStillThere(key: string, { io }: RestoreContext): boolean {
  return io.read(key) !== undefined;
}
