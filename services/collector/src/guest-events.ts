/** Log lines about guests: found, gone, restarted, unreadable, exempt. Each said once. */
import { exemptionBy, type Declared } from "@kvm-governor/policy";
import type { Guest, GuestChanges, UnreadableGuest } from "@kvm-governor/linux";
import type { Logger } from "@kvm-governor/service-kit";

export class GuestEvents {
  readonly #log: Pick<Logger, "info" | "warn">;
  /** UUID, or name, and reason of the guests that are named as unreadable now. */
  #unreadable = new Set<string>();

  constructor(log: Pick<Logger, "info" | "warn">) {
    this.#log = log;
  }

  /** Guests that came, went or began again. */
  changes(
    changes: Pick<GuestChanges, "arrived" | "departed" | "restarted">,
    declare: (guest: Guest) => Declared,
  ): void {
    for (const guest of changes.arrived) {
      this.#log.info({ event: "guest-found", ...fieldsOf(guest) }, `guest ${printable(guest.name)} found`);
      this.#sayExempt(guest, declare(guest));
    }
    for (const { now } of changes.restarted) {
      this.#log.info(
        { event: "guest-restarted", ...fieldsOf(now) },
        `guest ${printable(now.name)} was restarted`,
      );
      this.#sayExempt(now, declare(now));
    }
    for (const guest of changes.departed) {
      this.#log.info({ event: "guest-gone", ...fieldsOf(guest) }, `guest ${printable(guest.name)} is gone`);
    }
  }

  /** Guests that could not be read at this tick: those that could at the last one are said. */
  unreadable(guests: readonly UnreadableGuest[]): void {
    const now = new Set<string>();
    for (const { uuid, name, pid, reason } of guests) {
      const key = JSON.stringify([uuid ?? name, reason]);
      now.add(key);
      if (this.#unreadable.has(key)) continue;
      const fields = { event: "guest-unreadable", guest: name, uuid, pid, reason };
      this.#log.warn(fields, `guest ${printable(name)} cannot be read: ${reason}`);
    }
    this.#unreadable = now;
  }

  #sayExempt(guest: Guest, declared: Declared): void {
    const reason = exemptionBy(declared, guest.exemptReason);
    if (reason === undefined) return;
    this.#log.info(
      { event: "guest-exempt", ...fieldsOf(guest), reason },
      `guest ${printable(guest.name)} is left alone: ${reason}`,
    );
  }
}

function fieldsOf({ name, uuid, pid, source, vcpus }: Guest): Record<string, unknown> {
  return { guest: name, uuid, pid, source, vcpus: vcpus.length };
}

/** A name on one line of a terminal: names are the tenant's, and may hold escape sequences. */
function printable(name: string): string {
  return /^[\w.:@+ -]+$/.test(name) ? name : JSON.stringify(name);
}
