/**
 * Guests that come from another host keep their list and their count. Asked only for guests that are new on a host or gone from
 * it, so that a tick in which nobody comes or goes costs nothing. What can happen between the steps: docs/decisions/0023.
 */
import { carriedGuest, newcomers } from "@kvm-governor/policy";
import type { ArrivedGuest, HostState, Sample } from "@kvm-governor/policy";
import type { Logger } from "@kvm-governor/service-kit";
import type { ClassifierMetrics } from "./metrics.ts";
import type { GuestPlace, GuestPlaces } from "./store/guest-places.ts";
import type { Store } from "./store/store.ts";

/** For how long a guest that left a host is known elsewhere, in milliseconds: the longest gap between two hosts. */
export const CARRIED_FOR_MS = 600_000;

/** A host that is silent for this long, or three periods, may have lost its guests to another. */
const SILENT_MS = 10_000;
/** For how long a guest that is on two hosts may turn out to have migrated, in milliseconds. */
const WAIT_MS = 60_000;

/** A sample that is about to be decided on. */
interface Newest {
  sample: Sample;
  /** When the bus took the sample, by its own clock. */
  heardAtMs: number | undefined;
  isUnplaced: boolean;
}

interface Arriving extends Omit<Newest, "isUnplaced"> {
  isMigrating: boolean;
}

export type Arrivals = ReadonlyMap<string, ArrivedGuest>;
const NOBODY: Arrivals = new Map();

export interface MigrationsOptions {
  places: GuestPlaces;
  store: Pick<Store, "read">;
  metrics: Pick<ClassifierMetrics, "carriedOver" | "corrupt">;
  log: Logger;
}

export class Migrations {
  readonly #options: MigrationsOptions;

  /** Guests by host that are new there while another host still has them, and since when. */
  readonly #waiting = new Map<string, Map<string, number>>();

  constructor(options: MigrationsOptions) {
    this.#options = options;
  }

  /**
   * Before a decision: what is known from elsewhere of guests that are new in this sample, or were new lately while another
   * host still had them. It stands in for what this host knows of them.
   * @param isUnplaced nobody wrote down yet where the host's guests are
   * @throws {StoreUnavailableError}
   */
  async arrivals(
    previous: HostState | undefined,
    { sample, heardAtMs, isUnplaced }: Newest,
  ): Promise<Arrivals> {
    const { host } = sample;
    const fresh = new Set(newcomers(previous, sample));
    const waiting = this.#waiting.get(host);
    if (fresh.size === 0 && waiting === undefined && !isUnplaced) return NOBODY;
    const arrived = new Map<string, ArrivedGuest>();
    await Promise.all(
      sample.guests.map(async ({ uuid, state }) => {
        const isOpen = fresh.has(uuid) || waiting?.has(uuid) === true;
        if (!isOpen && !(isUnplaced && previous?.guests[uuid] !== undefined)) return;
        const place = await this.#options.places.arrive(uuid, host);
        if (!isOpen || place === undefined) return;
        const isMigrating = state === "migrating";
        const guest = await this.#arrival(uuid, place, { sample, heardAtMs, isMigrating });
        if (guest !== undefined) arrived.set(uuid, guest);
      }),
    );
    this.#giveUpWaiting(host, heardAtMs);
    return arrived;
  }

  /**
   * Before the commit that takes them off the host's lists: so there is no moment at which nobody knows them.
   * @throws {StoreUnavailableError}
   */
  async departures(host: string, previous: HostState | undefined, next: HostState): Promise<void> {
    if (previous === undefined) return;
    const gone = Object.keys(previous.guests).filter((uuid) => next.guests[uuid] === undefined);
    await Promise.all(
      gone.map(async (uuid) => {
        const carried = carriedGuest(previous, uuid);
        if (carried !== undefined) await this.#options.places.leave(uuid, host, carried, CARRIED_FOR_MS);
      }),
    );
  }

  /** After the commit. */
  committed(host: string, arrivals: Arrivals): void {
    const { metrics, log } = this.#options;
    for (const [uuid, { from, class: list, count }] of arrivals) {
      metrics.carriedOver.inc();
      log.info(
        { event: "guest-carried-over", host, uuid, from, class: list, count },
        `guest ${uuid} came from host ${from}: it stays ${list}, with crossing count ${count}`,
      );
    }
  }

  async #arrival(uuid: string, place: GuestPlace, now: Arriving): Promise<ArrivedGuest | undefined> {
    const { host, periodMs } = now.sample;
    this.#sayProblem(uuid, place);
    const { from = place.host, carried } = place;
    const written = carried && { ...carried, from };
    // Stopped and started on one host it begins anew; else this host was about to take it and did not come to its commit.
    if (place.host === host) return from === host ? undefined : written;
    const { state, heardAtMs } = await this.#options.store.read(place.host);
    const known = state && carriedGuest(state, uuid);
    const silentMs = (now.heardAtMs ?? 0) - (heardAtMs ?? 0);
    const isSilent = silentMs > Math.max(SILENT_MS, 3 * periodMs);
    if (known !== undefined && !now.isMigrating && !isSilent) {
      // It has not said yet that the guest left, or it is another guest with the same UUID: the next samples tell.
      this.#wait(host, uuid, now.heardAtMs);
      return undefined;
    }
    const isCurrent = known !== undefined && silentMs <= CARRIED_FOR_MS;
    const arrived = isCurrent ? { ...known, from: place.host } : written;
    await this.#options.places.take(uuid, host, arrived?.from ?? place.host, isCurrent ? known : carried);
    this.#waiting.get(host)?.delete(uuid);
    return arrived;
  }

  #wait(host: string, uuid: string, heardAtMs: number | undefined): void {
    let waiting = this.#waiting.get(host);
    if (waiting === undefined) this.#waiting.set(host, (waiting = new Map<string, number>()));
    if (!waiting.has(uuid)) waiting.set(uuid, heardAtMs ?? 0);
  }

  #giveUpWaiting(host: string, heardAtMs: number | undefined): void {
    const waiting = this.#waiting.get(host);
    if (waiting === undefined) return;
    for (const [uuid, sinceMs] of waiting)
      if (heardAtMs === undefined || heardAtMs - sinceMs > WAIT_MS) waiting.delete(uuid);
    if (waiting.size === 0) this.#waiting.delete(host);
  }

  #sayProblem(uuid: string, { problem }: GuestPlace): void {
    if (problem === undefined) return;
    this.#options.metrics.corrupt.inc({ source: "guest" });
    this.#options.log.error(
      { event: "carried-guest-corrupt", uuid, reason: problem },
      `${problem}; the guest begins anew`,
    );
  }
}
