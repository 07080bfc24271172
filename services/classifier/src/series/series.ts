/**
 * The course of guests over time, in memory, for the console: the last 5 minutes second by second, and the last 5 hours
 * minute by minute. Each guest takes the same number of bytes from its first point on, and only so many guests are
 * followed: the default of 2,000 (40 hosts of 50 guests) takes 54 MB at most.
 */
import type { GuestPlan, GuestReport, GuestSample, Plan, Report, Sample } from "@kvm-governor/policy";
import { SERIES_COLUMNS } from "@kvm-governor/console";
import type { GuestSeries, SeriesColumn } from "@kvm-governor/console";
import { Ring } from "./ring.ts";
import type { Fold } from "./ring.ts";

export const FINE = { points: 300, bucketMs: 1000 };
export const COARSE = { points: 300, bucketMs: 60_000 };
/** Arrays of one guest. */
export const BYTES_PER_GUEST = (FINE.points + COARSE.points) * (8 + 4 * SERIES_COLUMNS.length) + 72;
/** A guest without a sample for this long makes room for others. */
const GONE_AFTER_MS = 300_000;

/** What a guest is and what it counts to is as it was last; the rest are means. */
const FOLDS: readonly Fold[] = SERIES_COLUMNS.map((name) =>
  name === "class" || name === "count" ? "last" : "mean",
);
const CLASS_NUMBER = { service: 0, scientific: 1, exempt: 2 } as const;

interface Followed {
  fine: Ring;
  coarse: Ring;
  lastMs: number;
}

export class SeriesStore {
  readonly #now: () => number;
  readonly #guestsMax: number;
  /** By `HOST/UUID`; the one that was asked for longest ago, or never, first. */
  readonly #guests = new Map<string, Followed>();
  /** How many guests of a host are followed: of most hosts of a large fleet none, and then there is nothing to look up. */
  readonly #perHost = new Map<string, number>();

  /** @param now wall clock in milliseconds */
  constructor(now: () => number, guestsMax: number) {
    this.#now = now;
    this.#guestsMax = guestsMax;
  }

  /** Guests that are followed. */
  get size(): number {
    return this.#guests.size;
  }

  get bytes(): number {
    let sum = 0;
    for (const { fine, coarse } of this.#guests.values()) sum += fine.bytes + coarse.bytes;
    return sum;
  }

  /** Adds a point to every readable guest of a decision, as far as there is room for it. */
  decided(sample: Sample, plan: Plan, report: Report): void {
    if (this.#guestsMax === 0) return;
    const isFull = this.#guests.size >= this.#guestsMax && !this.#dropGone();
    if (isFull && !this.#perHost.has(sample.host)) return;
    const samples = new Map(sample.guests.map((guest) => [guest.uuid, guest]));
    const plans = new Map(plan.guests.map((guest) => [guest.uuid, guest]));
    for (const seen of report.guests) {
      const guest = samples.get(seen.uuid);
      if (guest === undefined || !seen.readable) continue;
      const followed = this.#followed(keyOf(sample.host, seen.uuid));
      if (followed === undefined) continue;
      const values = pointOf(guest, seen, plans.get(seen.uuid), sample.periodMs);
      followed.lastMs = this.#now();
      followed.fine.add(followed.lastMs, values);
      followed.coarse.add(followed.lastMs, values);
    }
  }

  /**
   * The course of a guest that somebody looks at. One that is not followed is from now on, in the place of the one that
   * was looked at longest ago.
   */
  watch(host: string, uuid: string): GuestSeries {
    const key = keyOf(host, uuid);
    if (this.#guestsMax === 0) return { fine: [], coarse: [], isFollowed: false };
    const followed = this.#guests.get(key) ?? this.#new();
    this.#remove(key);
    this.#makeRoom();
    this.#add(key, followed);
    return { fine: followed.fine.rows(), coarse: followed.coarse.rows(), isFollowed: true };
  }

  /** Hosts that another classifier works off from now on: the course of their guests goes on there. */
  forget(isGone: (host: string) => boolean): void {
    for (const key of this.#guests.keys()) if (isGone(hostOf(key))) this.#remove(key);
  }

  #followed(key: string): Followed | undefined {
    const known = this.#guests.get(key);
    if (known !== undefined) return known;
    if (this.#guests.size >= this.#guestsMax && !this.#dropGone()) return undefined;
    const fresh = this.#new();
    this.#add(key, fresh);
    return fresh;
  }

  #new(): Followed {
    return {
      fine: new Ring(FINE.points, FINE.bucketMs, FOLDS),
      coarse: new Ring(COARSE.points, COARSE.bucketMs, FOLDS),
      lastMs: this.#now(),
    };
  }

  #makeRoom(): void {
    if (this.#guests.size < this.#guestsMax || this.#dropGone()) return;
    const [first] = this.#guests.keys();
    if (first !== undefined) this.#remove(first);
  }

  #add(key: string, followed: Followed): void {
    this.#guests.set(key, followed);
    const host = hostOf(key);
    this.#perHost.set(host, (this.#perHost.get(host) ?? 0) + 1);
  }

  #remove(key: string): void {
    if (!this.#guests.delete(key)) return;
    const host = hostOf(key);
    const left = (this.#perHost.get(host) ?? 0) - 1;
    if (left > 0) this.#perHost.set(host, left);
    else this.#perHost.delete(host);
  }

  #lookedForGoneMs = -Infinity;

  /** Looks at all guests, so not at every sample. @returns whether there is room now */
  #dropGone(): boolean {
    const nowMs = this.#now();
    if (nowMs - this.#lookedForGoneMs < GONE_AFTER_MS / 10) return false;
    this.#lookedForGoneMs = nowMs;
    for (const [key, { lastMs }] of this.#guests) if (nowMs - lastMs > GONE_AFTER_MS) this.#remove(key);
    return this.#guests.size < this.#guestsMax;
  }
}

const keyOf = (host: string, uuid: string): string => `${host}/${uuid}`;
const hostOf = (key: string): string => key.slice(0, key.indexOf("/"));

function pointOf(
  guest: GuestSample,
  seen: GuestReport,
  plan: GuestPlan | undefined,
  periodMs: number,
): number[] {
  const switches = switchRates(guest, periodMs);
  const values: Record<SeriesColumn, number> = {
    usage: seen.usage,
    delay: seen.delay,
    demand: seen.demand,
    count: seen.class === "exempt" ? NaN : seen.count,
    entitlementCores: seen.class === "exempt" ? NaN : seen.entitlementCores,
    quotaCores: quotaCores(plan),
    switches: switches.all,
    involuntary: switches.involuntary,
    class: CLASS_NUMBER[seen.class],
  };
  return SERIES_COLUMNS.map((name) => values[name]);
}

/** Sum of the vCPUs' bandwidths; NaN where one of them has none of ours. */
function quotaCores(plan: GuestPlan | undefined): number {
  let sum = 0;
  for (const { bandwidth } of plan?.vcpus ?? []) {
    if (typeof bandwidth !== "number") return NaN;
    sum += bandwidth;
  }
  return plan === undefined ? NaN : sum;
}

/** Switches a second of all vCPUs; NaN where those of one are not known. */
function switchRates({ vcpus }: GuestSample, periodMs: number): { all: number; involuntary: number } {
  let all = 0;
  let involuntary = 0;
  for (const { switches = NaN, involuntaryPart = NaN } of vcpus) {
    all += switches;
    involuntary += switches === 0 ? 0 : switches * involuntaryPart;
  }
  const perSecond = 1000 / periodMs;
  return { all: all * perSecond, involuntary: involuntary * perSecond };
}
