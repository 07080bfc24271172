/** Gives every guest back what it had: after a crash, in place of a frozen actuator, or by hand. Needs no server. */
import { dirname } from "node:path";
import { AuditLog } from "../audit/log.ts";
import { locateGuest } from "../cgroup/locate.ts";
import { KERNEL_ROOTS, readCgroupMounts, type CgroupMounts, type KernelRoots } from "../cgroup/mounts.ts";
import { threadsOfGroup } from "../cgroup/ownership.ts";
import { isSystemdHost } from "../cgroup/systemd.ts";
import { KernelIo, readValues, type ControlIo } from "../controls/kernel-io.ts";
import { cpusetKey } from "../controls/cpuset.ts";
import { cpusPlaces, placesOf, settableKeys, type GuestPlaces } from "../controls/places.ts";
import { isSameRun, type Guest } from "../guests/guest.ts";
import { readBootId } from "../host/facts.ts";
import { configuredBaseline } from "./configured.ts";
import { readOnlineCpus } from "../topology/topology.ts";
import { JournalEntries, type JournalEntry } from "./entries.ts";
import { entryOf } from "./capture.ts";
import { HoldingMark, type MarkedRun } from "./holding-mark.ts";
import { HostLock } from "./host-lock.ts";
import { Journal, readJournal, type JournalOpening } from "./journal.ts";
import { restoreGuest, type GuestRestore, type RestoreContext } from "./restore-guest.ts";

export interface RestoreOptions {
  stateDir: string;
  /** Tells whether a journal was lost, and which guests are held; without it that is not noticed. */
  runDir?: string;
  /** UUID or name of the one guest to restore; absent: all. */
  guest?: string;
  roots?: KernelRoots;
  /** Running guests: for those that are held and the journal of which was lost, their configuration is the baseline. */
  guests?: () => readonly Guest[] | Promise<readonly Guest[]>;
  /** The host lock, where the caller holds it already. */
  lock?: HostLock;
  /** Why, for the audit. */
  reason?: string;
  /** The audit, where the caller has it open already; by default that of `stateDir`. */
  audit?: AuditLog | undefined;
}

export interface RestoreReport {
  guests: GuestRestore[];
  /** Damage of the journal, and where it is kept as it was found. */
  journal: JournalOpening;
  /** The journal had been lost or damaged: guests that are held without a baseline in it were restored from their configuration. */
  lost: boolean;
  /** Guests that stay as they are, because neither journal nor configuration tells their baseline. */
  unknown: string[];
  /** Writes that the audit could not take. */
  auditFailures: number;
}

/**
 * Restores what the journal holds; repeating it changes nothing more. A guest that could not be restored stays in the journal.
 * @throws {HostLockedError} naming the process that writes on this host
 * @throws {LaterJournalError} a later version wrote the journal
 * @throws {JournalError} the journal cannot be read or written
 */
export async function restore(options: RestoreOptions): Promise<RestoreReport> {
  const lock = options.lock ?? new HostLock(options.stateDir);
  const io = new KernelIo("write");
  try {
    return await restoreLocked(options, io);
  } finally {
    io.close();
    if (options.lock === undefined) lock[Symbol.dispose]();
  }
}

async function restoreLocked(options: RestoreOptions, io: KernelIo): Promise<RestoreReport> {
  const { procRoot, sysRoot } = options.roots ?? KERNEL_ROOTS;
  const audit = options.audit ?? new AuditLog({ stateDir: options.stateDir, nowMs: Date.now });
  const context: RestoreContext = {
    io,
    procRoot,
    bootId: readBootId(procRoot),
    onlineCpus: readOnlineCpus(sysRoot),
    audit,
    ...(options.reason !== undefined && { reason: options.reason }),
  };
  const mark = options.runDir === undefined ? undefined : new HoldingMark(options.runDir, context.bootId);
  const journal = new Journal(options.stateDir, Date.now);
  const found = journal.entries();
  const held = found.map(({ guest }) => guest);
  const isLost = mark?.isSet === true && !isWhole(journal.opening.damage.length, held, mark);
  if (!isLost && mark !== undefined) journal.attach(mark);
  const report: RestoreReport = {
    guests: [],
    journal: journal.opening,
    lost: isLost,
    unknown: [],
    auditFailures: 0,
  };
  const wanted = ({ uuid, name }: { uuid: string; name: string }): boolean =>
    options.guest === undefined || options.guest === uuid || options.guest === name;
  try {
    for (const entry of found.filter(({ guest }) => wanted(guest))) {
      const restored = await restoreGuest(entry, context);
      report.guests.push(restored);
      if (restored.outcome !== "failed") journal.close(entry.guest, restored.outcome);
    }
    if (isLost) await restoreConfigured(options, context, mark.missingIn(held), report, wanted);
    const settled = report.guests.flatMap(({ guest, outcome }) => (outcome === "failed" ? [] : guest));
    const isDone = options.guest === undefined && settled.length === report.guests.length;
    if (isDone) mark?.clear();
    // What is back must not be taken for held without a journal by who tries again.
    else if (isLost) mark.update(mark.missingIn(settled));
    return report;
  } finally {
    report.auditFailures = audit.failures;
    audit.release();
    journal.dispose();
  }
}

/** Whether a journal holds first values of every run that is marked as held. */
function isWhole(damages: number, inJournal: readonly MarkedRun[], mark: HoldingMark): boolean {
  return damages === 0 && inJournal.length > 0 && mark.missingIn(inJournal).length === 0;
}

/** Whether nobody needs to look for lost first values: what the journal holds is all that is held. @throws {JournalError} */
export function isJournalWhole(
  { stateDir, runDir }: { stateDir: string; runDir: string },
  bootId: string,
): boolean {
  const { records, damage } = readJournal(stateDir).parsed;
  const inJournal = new JournalEntries(records).all().map(({ guest }) => guest);
  return isWhole(damage.length, inJournal, new HoldingMark(runDir, bootId));
}

/**
 * Guests that are held and that the journal knows nothing of go back to their configuration. All others are left alone: what
 * somebody set by hand on a guest that was never held is not ours.
 * @param lost runs that are held
 */
async function restoreConfigured(
  options: RestoreOptions,
  context: RestoreContext,
  lost: readonly MarkedRun[],
  report: RestoreReport,
  wanted: (guest: Guest) => boolean,
): Promise<void> {
  const roots = options.roots ?? KERNEL_ROOTS;
  const mounts = readCgroupMounts(roots);
  for (const guest of (await options.guests?.()) ?? []) {
    if (!wanted(guest) || !lost.some((run) => isSameRun(run, guest))) continue;
    const entry = configuredEntry(guest, { roots, mounts, io: context.io, bootId: context.bootId });
    if (entry === undefined) report.unknown.push(guest.name);
    else report.guests.push(await restoreGuest(entry, context));
  }
}

interface ConfiguredContext {
  roots: KernelRoots;
  mounts: CgroupMounts;
  io: ControlIo;
  bootId: string;
}

/** A journal entry from a guest's configuration; undefined where it has none (a bare QEMU process). */
function configuredEntry(guest: Guest, context: ConfiguredContext): JournalEntry | undefined {
  if (guest.configured === undefined) return undefined;
  const groups = locateGuest(guest, { ...context.roots, mounts: context.mounts }) ?? {};
  const places = placesOf(guest, groups, { hasSystemd: isSystemdHost(), threadsOf: threadsOfGroup });
  const values = readValues(context.io, new Set([...settableKeys(places), ...parentCpus(places)]));
  const online = readOnlineCpus(context.roots.sysRoot);
  const baseline = configuredBaseline(guest.configured, places, values, online);
  return entryOf(guest, baseline, { procRoot: context.roots.procRoot, bootId: context.bootId, places });
}

/** A group without CPUs of its own choice has those of the group above. */
const parentCpus = (places: GuestPlaces): string[] =>
  cpusPlaces(places).flatMap(({ group }) => (group === undefined ? [] : cpusetKey(dirname(group.dir))));
