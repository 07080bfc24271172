/**
 * What the last decision on a host said of its guests, as one array of figures that is written over at each tick, for the same reason
 * as their samples (`kept-samples.ts`). Reasons are those of the plan, which is kept anyway.
 */
import type { GuestReport } from "@kvm-governor/policy";

/** Of a guest, in this order: flags, usage, delay, demand, count, entitlementCores, slaDelay (NaN where absent). */
const FIGURES = 7;

const CLASSES = ["service", "scientific", "exempt"] as const;
/** By number: undefined, or the list that it came from. */
const MOVED_FROM = [undefined, "service", "scientific"] as const;

/** Flags: two bits of class, three yes or no, two of the list that it came from. */
const READABLE = 1 << 2;
const CROSSED = 1 << 3;
const HELD = 1 << 4;
const MOVED_AT = 5;

export class KeptReports {
  readonly #uuids: string[] = [];
  readonly #names: string[] = [];
  readonly #reasons: GuestReport["reasons"][] = [];
  #figures = new Float64Array(0);

  /** Keeps what is said of these guests in place of what was said before. */
  take(guests: readonly GuestReport[]): void {
    if (this.#figures.length !== guests.length * FIGURES)
      this.#figures = new Float64Array(guests.length * FIGURES);
    for (const list of [this.#uuids, this.#names, this.#reasons])
      if (list.length > guests.length) list.length = guests.length;
    for (const [place, guest] of guests.entries()) {
      // Of equal texts the one that is kept already: the new ones go with the sample.
      if (this.#uuids[place] !== guest.uuid) this.#uuids[place] = guest.uuid;
      if (this.#names[place] !== guest.name) this.#names[place] = guest.name;
      if (this.#reasons[place] !== guest.reasons) this.#reasons[place] = guest.reasons;
      this.#takeFigures(guest, place * FIGURES);
    }
  }

  /** As they were taken. */
  guests(): GuestReport[] {
    return this.#uuids.map((uuid, place) => this.#guest(uuid, place));
  }

  #takeFigures(guest: GuestReport, at: number): void {
    const figures = this.#figures;
    figures[at] = flagsOf(guest);
    figures[at + 1] = guest.usage;
    figures[at + 2] = guest.delay;
    figures[at + 3] = guest.demand;
    figures[at + 4] = guest.count;
    figures[at + 5] = guest.entitlementCores;
    figures[at + 6] = guest.slaDelay ?? NaN;
  }

  #guest(uuid: string, place: number): GuestReport {
    const from = place * FIGURES;
    const [flags = 0, usage = 0, delay = 0, demand = 0, ...rest] = this.#figures.subarray(
      from,
      from + FIGURES,
    );
    const [count = 0, entitlementCores = 0, slaDelay = NaN] = rest;
    const movedFrom = MOVED_FROM[flags >> MOVED_AT];
    return {
      uuid,
      name: this.#names[place] ?? "",
      class: CLASSES[flags & 3] ?? "exempt",
      readable: (flags & READABLE) !== 0,
      usage,
      delay,
      demand,
      crossed: (flags & CROSSED) !== 0,
      count,
      ...(movedFrom !== undefined && { movedFrom }),
      ...((flags & HELD) !== 0 && { held: true as const }),
      entitlementCores,
      ...(!Number.isNaN(slaDelay) && { slaDelay }),
      reasons: this.#reasons[place] ?? [],
    };
  }
}

function flagsOf({ class: kind, readable, crossed, held, movedFrom }: GuestReport): number {
  return (
    CLASSES.indexOf(kind) |
    (readable ? READABLE : 0) |
    (crossed ? CROSSED : 0) |
    (held === true ? HELD : 0) |
    (MOVED_FROM.indexOf(movedFrom) << MOVED_AT)
  );
}
