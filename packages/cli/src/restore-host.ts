/** Restoring as the command and the guard do it: from the journal, and for a lost journal from libvirt. */
import { GuestWatcher, restore } from "@kvm-governor/linux";
import type { Guest, RestoreReport } from "@kvm-governor/linux";

export interface RestorePlaces {
  stateDir: string;
  runDir: string;
  libvirtRunDir: string;
  /** Name or UUID of one guest; absent: all. */
  guest?: string;
  /** Why, for the audit. */
  reason?: string;
}

/** @throws {HostLockedError} an actuator runs; {JournalError} the journal cannot be read or written */
export function restoreHost({
  stateDir,
  runDir,
  libvirtRunDir,
  guest,
  reason,
}: RestorePlaces): Promise<RestoreReport> {
  const guests = (): readonly Guest[] => runningGuests(libvirtRunDir);
  const options = { ...(guest !== undefined && { guest }), ...(reason !== undefined && { reason }) };
  return restore({ stateDir, runDir, guests, ...options });
}

export function runningGuests(libvirtRunDir: string): readonly Guest[] {
  using watcher = new GuestWatcher({ libvirtRunDir });
  watcher.refresh();
  return watcher.inventory.guests;
}

/** Whether nothing is left that differs from what was there before us. */
export function isRestored(report: RestoreReport): boolean {
  return report.unknown.length === 0 && report.guests.every(({ outcome }) => outcome !== "failed");
}
