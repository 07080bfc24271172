/** Takes guests back to their baseline, one by one, and closes their entries in the journal. */
import { readOnlineCpus, reportOf, restoreGuest } from "@kvm-governor/linux";
import type { GuestRun, HostLock, JournalEntry } from "@kvm-governor/linux";
import type { Applied } from "@kvm-governor/policy";
import { WriteForbiddenError, type GovernContext } from "./governed-guest.ts";
import type { Reporter } from "./reporter.ts";

/** Why the lock does not keep others out any more, or undefined. */
export function lockProblem(lock: HostLock | undefined): string | undefined {
  return lock?.isHeld() === false ? "the host lock was taken away" : undefined;
}

export class Restorer {
  readonly #context: GovernContext;
  readonly #lock: HostLock | undefined;
  readonly #reporter: Reporter;

  constructor(context: GovernContext, lock: HostLock | undefined, reporter: Reporter) {
    this.#context = context;
    this.#lock = lock;
    this.#reporter = reporter;
  }

  /** Guests that are held away from their baseline, or could not be taken back before. */
  entries(): JournalEntry[] {
    return this.#context.journal?.entries() ?? [];
  }

  get count(): number {
    return this.#context.journal?.size ?? 0;
  }

  /**
   * Takes one guest back and adds what was written to the report. Never throws: what failed stays in the journal and is
   * tried again.
   * @param reason for the audit
   * @returns whether nothing is left to do for it
   */
  async restore(entry: JournalEntry, applied: Applied, reason: string): Promise<boolean> {
    const { io, roots, bootId, journal, audit } = this.#context;
    const generation = applied.generation === 0 ? {} : { generation: applied.generation };
    try {
      const problem = lockProblem(this.#lock);
      if (problem !== undefined) throw new WriteForbiddenError(problem);
      const onlineCpus = readOnlineCpus(roots.sysRoot);
      const context = { io, procRoot: roots.procRoot, bootId, onlineCpus, audit, reason, ...generation };
      const restored = await restoreGuest(entry, context);
      if (restored.outcome !== "failed") journal?.close(entry.guest, restored.outcome);
      this.#reporter.restored(restored);
      applied.verified += restored.verified;
      applied.writes.push(
        ...restored.writes.map((one) => reportOf(one, entry.guest.uuid, entry.mountPoints)),
      );
      return restored.outcome !== "failed";
    } catch (error) {
      this.#reporter.failure("restore-failed", error, { guest: entry.guest.name });
      return false;
    }
  }

  /** Closes the entries of guests that do not run any more. */
  forgetDeparted(runs: (guest: GuestRun) => boolean): void {
    for (const { guest } of this.entries()) {
      if (!runs(guest)) this.#context.journal?.close(guest, "gone");
    }
  }
}
