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
import { affinityKey, type Write } from "../controls/write.ts";
import type { JournalEntry } from "./entries.ts";
import { startTimeOf } from "./host-lock.ts";
import { allInherited } from "./inherited.ts";
import { giveable, onlinePart } from "./online.ts";
import type { FileBaseline, GuestRun, ThreadBaseline } from "./records.ts";
import { strayWrites } from "./strays.ts";
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
  /** CPUs that are online, ascending: no others can be given back. */
  onlineCpus: readonly number[];
  /** Where systemd keeps transient units; default: /run/systemd/transient. */
  systemdRoot?: string;
  audit?: Pick<AuditLog, "record"> | undefined;
  /** Why, for the audit. */
  reason?: string;
  /** Generation of the plan that was followed, where one was. */
  generation?: number | undefined;
}

/** Rounds in which threads are looked for that began while their makers were being given back. */
const LATE_ROUNDS_MAX = 3;

export async function restoreGuest(entry: JournalEntry, context: RestoreContext): Promise<GuestRestore> {
  const { guest, mountPoints } = entry;
  const mismatch = runMismatch(entry, context);
  if (mismatch !== undefined)
    return { guest, mountPoints, outcome: "gone", writes: [], verified: 0, notes: [mismatch] };
  const notes: string[] = [];
  const files = [...entry.files.values()].filter((file) => isSameGroup(file, notes));
  const inheriting = inheritedNow(entry, context);
  const baseline = [
    ...files.map((file) => ({ ...file, text: withoutNewline(file.raw) })),
    // Before their makers: who is interrupted in between still finds what they inherited.
    ...[...inheriting(), ...threadsLeft(entry, context)].map(affinityValue),
  ].map((value) => withinOnline(value, context, notes));
  const results = await write(baseline, files, entry, context);
  for (let round = 0; round < LATE_ROUNDS_MAX; round++) {
    const late = inheriting().map((thread) => withinOnline(affinityValue(thread), context, notes));
    if (late.length === 0) break;
    baseline.push(...late);
    results.push(...(await write(late, [], entry, context)));
  }
  const different = baseline.filter((value) => differs(value, context)).map(({ key }) => key);
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

async function write(
  baseline: readonly BaselineValue[],
  files: readonly FileBaseline[],
  { guest, threads }: JournalEntry,
  { io, audit, reason = "restored from the journal", generation }: RestoreContext,
): Promise<WriteResult[]> {
  const witness = witnessOf(audit, { event: "restore", guest, generation, reason }, io);
  const execute = (writes: readonly Write[]): Promise<WriteResult[]> =>
    executeWrites(writes, io, undefined, witness);
  // What is in a group is looked at after they are back in it.
  const strays = await execute(strayWrites(files, [...threads.values()], threadsOfGroup));
  const values = readValues(io, keysToRead(files));
  const writes = restoreWrites({ baseline, values, threadsOf: threadsOfGroup });
  return [...strays, ...readBack(await execute(writes), io)];
}

/** Looks for threads that inherited what the guest is held on at this moment, as often as it is asked. */
function inheritedNow(entry: JournalEntry, { io, procRoot }: RestoreContext): () => ThreadBaseline[] {
  const { pid } = entry.guest;
  const held = new Map([pid, ...entry.threads.keys()].map((tid) => [tid, io.read(affinityKey(tid))]));
  return () => allInherited(entry, { io, procRoot, heldOn: (tid) => held.get(tid) });
}

function threadsLeft({ guest, threads }: JournalEntry, { procRoot }: RestoreContext): ThreadBaseline[] {
  return [...threads.values()].filter(
    ({ tid, startTime }) => startTimeOf(procRoot, guest.pid, tid) === startTime,
  );
}

const affinityValue = ({ tid, target, cpus }: ThreadBaseline): BaselineValue => ({
  key: affinityKey(tid),
  version: 1,
  target,
  setting: "affinity",
  text: cpus,
});

function withinOnline(value: BaselineValue, context: RestoreContext, notes: string[]): BaselineValue {
  const text = giveable(value, context.onlineCpus, context.io);
  if (text === value.text) return value;
  notes.push(`${value.key} was ${value.text}: of that ${text} can be given back, the other CPUs are offline`);
  const canAsk = value.setting === "affinity" && onlinePart(value.text, context.onlineCpus) !== "";
  return { ...value, text, ...(canAsk && { asked: value.text }) };
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

/** A thread or group that went away in the middle is normal, and no failure. */
function differs({ key, text }: BaselineValue, { io }: RestoreContext): boolean {
  const now = io.read(key);
  return now !== undefined && withoutNewline(now) !== text;
}
