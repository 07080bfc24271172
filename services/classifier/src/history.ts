/**
 * What happened to each guest, in memory: moves and changes of how it is held, with their reasons, and what the actuator
 * wrote. Bounded for each guest and in all; the guest that changed longest ago is forgotten first. Decides nothing.
 */
import type {
  Applied,
  GuestHistory,
  GuestWrite,
  PastDecision,
  PastDrift,
  PastWrite,
  Plan,
  Report,
  WriteReport,
} from "@kvm-governor/policy";
import { isHeldAlike } from "./held-alike.ts";

interface Kept {
  moves: PastDecision[];
  /** Apart from the moves: a share that changes often must not push those out. */
  holds: PastDecision[];
  writes: PastWrite[];
  drift: PastDrift[];
  wouldWrite: GuestWrite[];
  skipped: GuestHistory["skipped"];
}

export const MOVES_MAX = 20;
export const HOLDS_MAX = 20;
export const WRITES_MAX = 64;
export const DRIFT_MAX = 16;
/** Guests of all hosts together. With every list full a guest takes about 60 KB; few are. */
export const GUESTS_MAX = 4000;

export class History {
  readonly #now: () => number;
  readonly #guestsMax: number;
  /** By `HOST/UUID`, in the order of the last change. */
  readonly #guests = new Map<string, Kept>();
  /** By host: guests that were skipped, or that a dry run would write to. */
  readonly #passing = new Map<string, Set<string>>();

  /** @param now wall clock in milliseconds */
  constructor(now: () => number, guestsMax = GUESTS_MAX) {
    this.#now = now;
    this.#guestsMax = guestsMax;
  }

  get size(): number {
    return this.#guests.size;
  }

  /** What is remembered of a guest; empty lists where nothing is. */
  of(host: string, uuid: string): GuestHistory {
    const { moves, holds, ...rest } = this.#guests.get(keyOf(host, uuid)) ?? nothing();
    return { decisions: [...moves, ...holds].sort((a, b) => a.atMs - b.atMs), ...rest };
  }

  /** @param before the plan that this one follows */
  decided(plan: Plan, report: Report, before: Plan | undefined): void {
    // A plan that changes nothing moves nobody either.
    if (!report.changed) return;
    const old = new Map(before?.guests.map((guest) => [guest.uuid, guest]));
    const reports = new Map(report.guests.map((guest) => [guest.uuid, guest]));
    for (const guest of plan.guests) {
      const seen = reports.get(guest.uuid);
      if (seen === undefined) continue;
      const movedFrom = seen.movedFrom;
      const previous = old.get(guest.uuid);
      if (movedFrom === undefined && previous !== undefined && isHeldAlike(previous, guest)) continue;
      const { vcpus, weight, emulatorCpus, ioThreadCpus } = guest;
      const kind = movedFrom !== undefined ? "moved" : previous === undefined ? "first" : "held";
      const kept = this.#changed(plan.host, guest.uuid);
      add(kind === "held" ? kept.holds : kept.moves, kind === "held" ? HOLDS_MAX : MOVES_MAX, {
        atMs: this.#now(),
        generation: plan.generation,
        kind,
        class: guest.class,
        ...(movedFrom !== undefined && { movedFrom }),
        usage: seen.usage,
        delay: seen.delay,
        demand: seen.demand,
        reasons: guest.reasons,
        held: { vcpus, weight, emulatorCpus, ioThreadCpus },
      });
    }
  }

  applied({ host, generation, dryRun, writes, drift, skipped, switchFired }: Applied): void {
    const atMs = this.#now();
    this.#wouldWrite(host, dryRun === true ? writes : []);
    if (dryRun !== true)
      for (const { guest, ...write } of writes)
        addWrite(this.#changed(host, guest), { ...write, atMs, generation, times: 1 });
    for (const { guest, target, setting, file, applied, found } of drift) {
      add(this.#changed(host, guest).drift, DRIFT_MAX, { atMs, target, setting, file, applied, found });
    }
    // A report on a switch that fired names no plan: it says nothing about who was left alone.
    if (switchFired === undefined) this.#skipped(host, skipped, atMs);
  }

  /** Hosts that another classifier works off from now on: what happens to their guests is not heard here any more. */
  forget(isGone: (host: string) => boolean): void {
    for (const key of this.#guests.keys()) if (isGone(hostOf(key))) this.#guests.delete(key);
    for (const host of this.#passing.keys()) if (isGone(host)) this.#passing.delete(host);
  }

  /** A dry run says with each report all that it would write: the last report stands for all. */
  #wouldWrite(host: string, writes: Applied["writes"]): void {
    const byGuest = Map.groupBy(writes, ({ guest }) => guest);
    this.#endOthers(host, (uuid, kept) => {
      if (!byGuest.has(uuid)) kept.wouldWrite = [];
    });
    for (const [uuid, own] of byGuest) {
      this.#present(host, uuid).wouldWrite = own.slice(0, WRITES_MAX).map(withoutGuest);
    }
  }

  #skipped(host: string, skipped: Applied["skipped"], atMs: number): void {
    const reasons = new Map(skipped.map(({ guest, reason }) => [guest, reason]));
    this.#endOthers(host, (uuid, kept) => {
      if (!reasons.has(uuid)) kept.skipped = null;
    });
    for (const [uuid, reason] of reasons) {
      const kept = this.#present(host, uuid);
      kept.skipped = { reason, atMs: kept.skipped?.reason === reason ? kept.skipped.atMs : atMs };
    }
  }

  /** Looks at the host's guests of which something holds only until the next report. */
  #endOthers(host: string, end: (uuid: string, kept: Kept) => void): void {
    const uuids = this.#passing.get(host);
    for (const uuid of uuids ?? []) {
      const kept = this.#guests.get(keyOf(host, uuid));
      if (kept !== undefined) end(uuid, kept);
      if (kept === undefined || (kept.skipped === null && kept.wouldWrite.length === 0)) uuids?.delete(uuid);
    }
    if (uuids?.size === 0) this.#passing.delete(host);
  }

  #present(host: string, uuid: string): Kept {
    let uuids = this.#passing.get(host);
    if (uuids === undefined) this.#passing.set(host, (uuids = new Set()));
    uuids.add(uuid);
    return this.#changed(host, uuid);
  }

  #changed(host: string, uuid: string): Kept {
    const key = keyOf(host, uuid);
    const kept = this.#guests.get(key) ?? nothing();
    this.#guests.delete(key);
    this.#guests.set(key, kept);
    const [oldest] = this.#guests.keys();
    if (this.#guests.size > this.#guestsMax && oldest !== undefined) this.#guests.delete(oldest);
    return kept;
  }
}

const keyOf = (host: string, uuid: string): string => `${host}/${uuid}`;
const hostOf = (key: string): string => key.slice(0, key.indexOf("/"));

const nothing = (): Kept => ({ moves: [], holds: [], writes: [], drift: [], wouldWrite: [], skipped: null });

function withoutGuest({ target, setting, file, old, wanted }: WriteReport): Omit<WriteReport, "guest"> {
  return { target, setting, file, old, wanted };
}

function add<T>(list: T[], most: number, entry: T): void {
  list.push(entry);
  if (list.length > most) list.shift();
}

/** A write that fails again and again is one entry: it must not push out those that tell how it came to be. */
function addWrite({ writes }: Kept, entry: PastWrite): void {
  const last = writes.findLast(({ file }) => file === entry.file);
  const isRepeated =
    last !== undefined &&
    last.old === entry.old &&
    last.wanted === entry.wanted &&
    last.readBack === entry.readBack &&
    last.error === entry.error;
  if (!isRepeated) return add(writes, WRITES_MAX, entry);
  last.times += 1;
  last.atMs = entry.atMs;
  last.generation = entry.generation;
}
