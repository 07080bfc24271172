/** Takes guests back to their baseline, one by one, and closes their entries in the journal. */
import { readOnlineCpus, reportOf, restoreGuest } from "@kvm-governor/linux";
import type { GuestRestore, GuestRun, HostLock, JournalEntry } from "@kvm-governor/linux";
import type { Applied } from "@kvm-governor/policy";
import { BackOff } from "./back-off.ts";
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
  readonly #backOff: BackOff;

  constructor(context: GovernContext, lock: HostLock | undefined, reporter: Reporter) {
    this.#context = context;
    this.#lock = lock;
    this.#reporter = reporter;
    this.#backOff = new BackOff(context.nowMs);
  }

  /** Guests that are held away from their baseline, or could not be taken back before. */
  entries(): JournalEntry[] {
    return this.#context.journal?.entries() ?? [];
  }

  get count(): number {
    return this.#context.journal?.size ?? 0;
  }

  /** Whether it is time to take a guest back: not right after it failed for the same reason. */
  isDue({ guest }: JournalEntry, reason: string): boolean {
    return this.#backOff.isDue(runKey(guest), reason);
  }

  /** A guest is written to once more: that it could not be taken back before is of the past. */
  isHeldAgain(guest: GuestRun): void {
    this.#backOff.forget(runKey(guest));
  }

  /**
   * Takes one guest back and adds what was written to the report. Never throws: what failed stays in the journal and is
   * tried again.
   * @param reason for the audit
   * @returns whether nothing is left to do for it
   */
  async restore(entry: JournalEntry, applied: Applied, reason: string): Promise<boolean> {
    const { guest } = entry;
    try {
      const restored = await this.#restore(entry, applied, reason);
      applied.verified += restored.verified;
      applied.writes.push(...restored.writes.map((one) => reportOf(one, guest.uuid, entry.mountPoints)));
      if (restored.outcome === "failed") this.#backOff.failed(runKey(guest), reason);
      else this.#close(guest, restored.outcome);
      this.#reporter.restored(restored);
      return restored.outcome !== "failed";
    } catch (error) {
      this.#backOff.failed(runKey(guest), reason);
      this.#reporter.failure("restore-failed", error, guest);
      return false;
    }
  }

  #restore(entry: JournalEntry, { generation }: Applied, reason: string): Promise<GuestRestore> {
    const { io, roots, bootId, audit } = this.#context;
    const problem = lockProblem(this.#lock);
    if (problem !== undefined) throw new WriteForbiddenError(problem);
    return restoreGuest(entry, {
      io,
      procRoot: roots.procRoot,
      bootId,
      onlineCpus: readOnlineCpus(roots.sysRoot),
      audit,
      reason,
      ...(generation !== 0 && { generation }),
    });
  }

  /** Closes the entries of guests that do not run any more. A journal that cannot be written keeps them, and it is tried again. */
  forgetDeparted(runs: (guest: GuestRun) => boolean): void {
    for (const { guest } of this.entries()) {
      if (!runs(guest)) this.#reporter.attempt("forgetting", () => this.#close(guest, "gone"));
    }
  }

  #close(guest: GuestRun, why: "restored" | "gone"): void {
    this.#context.journal?.close(guest, why);
    this.#backOff.forget(runKey(guest));
  }
}

const runKey = ({ uuid, pid, startTime }: GuestRun): string => `${uuid} ${pid} ${startTime}`;
