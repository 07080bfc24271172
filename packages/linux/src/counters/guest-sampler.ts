/**
 * Reads the counters of all guests of a host. Passes by source, not by guest: run and delay of all guests are read within
 * a few milliseconds of each other, and a source that fails takes nothing else with it.
 */
import { existsSync } from "node:fs";
import { isVanished } from "../proc/read.ts";
import { isSameRun, type Guest, type GuestInventory, type UnreadableGuest } from "../guests/guest.ts";
import type { CounterContext } from "./context.ts";
import { GuestCounters, type Locate } from "./guest-counters.ts";
import type { Sources } from "./sources.ts";
import { SwitchSplit, type SplitResult } from "./switch-split.ts";

/** A monotonic clock in milliseconds, with fractions. */
export type Clock = () => number;

export interface GuestReading {
  /** Guests whose counters are all of this reading. */
  readable: readonly GuestCounters[];
  /** Those of the inventory, and those whose counters failed now. Guests that went away are in neither. */
  unreadable: readonly UnreadableGuest[];
}

export class GuestSampler {
  readonly #context: CounterContext;
  readonly #locate: Locate;
  readonly #sources: Sources;
  readonly #nowMs: Clock;
  /** By UUID: the guest's name in every contract. */
  readonly #byUuid = new Map<string, GuestCounters>();
  readonly #split = new SwitchSplit();
  #last: GuestReading = { readable: [], unreadable: [] };

  constructor(options: { context: CounterContext; locate: Locate; sources: Sources; nowMs: Clock }) {
    this.#context = options.context;
    this.#locate = options.locate;
    this.#sources = options.sources;
    this.#nowMs = options.nowMs;
  }

  /** The last reading. */
  get last(): GuestReading {
    return this.#last;
  }

  /**
   * Reads run, delay, switches and throttling of every guest. Throws nothing: failures are in the result.
   * @param isCrowded whether anybody on this host waited for a CPU since the last reading, as far as is known
   */
  read(inventory: GuestInventory, isCrowded = true): GuestReading {
    const unreadable = [...inventory.unreadable];
    this.#dropAllBut(inventory.guests);
    let readable = this.#readTimes(inventory.guests, unreadable, isCrowded);
    readable = this.#readSwitches(readable, unreadable);
    this.#readThrottling(readable);
    return (this.#last = { readable, unreadable });
  }

  /**
   * Reads voluntary and involuntary switches of the guests of the last reading: for scrapes, and after ticks.
   * @param msMax no longer than this; who did not get a turn comes first the next time
   */
  readSwitchSplit(msMax: number): SplitResult {
    const vcpus = this.#last.readable.flatMap((counters) => counters.vcpus);
    const result = this.#sources.measure("switch-split", (failed) =>
      this.#split.read(vcpus, { msMax, nowMs: this.#nowMs, failed }),
    );
    return result ?? { read: 0, postponed: vcpus.length };
  }

  close(): void {
    for (const counters of this.#byUuid.values()) counters.close();
    this.#byUuid.clear();
  }

  #readTimes(guests: readonly Guest[], unreadable: UnreadableGuest[], isCrowded: boolean): GuestCounters[] {
    const readable: GuestCounters[] = [];
    this.#sources.measure("schedstat", (failed) => {
      for (const guest of guests) {
        try {
          const counters = this.#countersOf(guest);
          counters.readTimes(this.#nowMs() * 1e6, isCrowded);
          readable.push(counters);
        } catch (error) {
          this.#setAside(guest, error, unreadable, failed);
        }
      }
    });
    return readable;
  }

  #readSwitches(guests: readonly GuestCounters[], unreadable: UnreadableGuest[]): GuestCounters[] {
    const readable: GuestCounters[] = [];
    this.#sources.measure("switches", (failed) => {
      for (const counters of guests) {
        try {
          counters.readSwitches();
          readable.push(counters);
        } catch (error) {
          this.#setAside(counters.guest, error, unreadable, failed);
        }
      }
    });
    return readable;
  }

  /** Throttling is no condition of a sample: a guest without it stays readable. */
  #readThrottling(guests: readonly GuestCounters[]): void {
    this.#sources.measure("throttling", (failed) => {
      for (const counters of guests) {
        try {
          counters.readThrottling();
        } catch (error) {
          failed(error);
        }
      }
    });
  }

  #countersOf(guest: Guest): GuestCounters {
    let counters = this.#byUuid.get(guest.uuid);
    if (counters === undefined) {
      counters = new GuestCounters(guest, this.#context, this.#locate);
      this.#byUuid.set(guest.uuid, counters);
    }
    if (!counters.follows(guest)) counters.update(guest);
    return counters;
  }

  /** A guest that failed is not read at zero: it is gone, or named as unreadable. Its totals are kept for the next tick. */
  #setAside(
    guest: Guest,
    error: unknown,
    unreadable: UnreadableGuest[],
    failed: (error: unknown) => void,
  ): void {
    const gone = isVanished(error);
    if (gone && !existsSync(`${this.#context.procRoot}/${guest.pid}`)) {
      this.#forget(guest.uuid);
      return;
    }
    if (!gone) failed(error);
    const reason = gone ? "a thread ended while it was read" : (error as Error).message;
    unreadable.push({ uuid: guest.uuid, name: guest.name, pid: guest.pid, reason: reason.slice(0, 1024) });
  }

  #dropAllBut(guests: readonly Guest[]): void {
    const there = new Map(guests.map((guest) => [guest.uuid, guest]));
    for (const [uuid, { guest }] of this.#byUuid) {
      const now = there.get(uuid);
      if (now === undefined || !isSameRun(now, guest)) this.#forget(uuid);
    }
  }

  #forget(uuid: string): void {
    this.#byUuid.get(uuid)?.close();
    this.#byUuid.delete(uuid);
  }
}
