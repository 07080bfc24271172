/**
 * One copy of each reason, however many guests it holds for: most guests of a fleet are held for the same few reasons, and each
 * sample brings new copies. A fifth of what a host takes in memory.
 */
import type { Plan, Reason } from "@kvm-governor/policy";

/** More than a fleet has at a time; then it begins anew, which costs memory, nothing else. */
const KEPT_MAX = 20_000;

export class SharedReasons {
  readonly #kept = new Map<string, Reason>();

  get size(): number {
    return this.#kept.size;
  }

  /** Replaces the reasons that a plan does not share with the one before by the copies that are kept. */
  share(plan: Plan, before: Plan | undefined): void {
    for (const [at, guest] of plan.guests.entries()) {
      if (before?.guests[at]?.reasons !== guest.reasons)
        for (const [place, reason] of guest.reasons.entries()) guest.reasons[place] = this.#of(reason);
    }
  }

  #of(reason: Reason): Reason {
    const known = this.#kept.get(reason.text);
    if (known?.code === reason.code) return known;
    if (this.#kept.size >= KEPT_MAX) this.#kept.clear();
    this.#kept.set(reason.text, reason);
    return reason;
  }
}
