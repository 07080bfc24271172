/**
 * Guests that come from another host keep their list and their count. Asked only for guests that are new on a host or gone from
 * it, so that a tick in which nobody comes or goes costs nothing. What can happen between the steps: docs/decisions/0022.
 */
import { carriedGuest, newcomers } from "@kvm-governor/policy";
import type { ArrivedGuest, CarriedGuest, HostState, Sample } from "@kvm-governor/policy";
import type { Logger } from "@kvm-governor/service-kit";
import type { ClassifierMetrics } from "./metrics.ts";
import type { GuestPlace, GuestPlaces } from "./store/guest-places.ts";
import type { Store } from "./store/store.ts";

/** For how long a guest that left a host is known elsewhere, in milliseconds: the longest gap between two hosts. */
export const CARRIED_FOR_MS = 600_000;

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

  constructor(options: MigrationsOptions) {
    this.#options = options;
  }

  /**
   * Before a decision: what is known from elsewhere of the guests that are new in this sample.
   * @param heardAtMs when the bus took the sample, by its own clock
   * @throws {StoreUnavailableError}
   */
  async arrivals(
    previous: HostState | undefined,
    sample: Sample,
    heardAtMs: number | undefined,
  ): Promise<Arrivals> {
    const uuids = newcomers(previous, sample);
    if (uuids.length === 0) return NOBODY;
    const arrived = new Map<string, ArrivedGuest>();
    await Promise.all(
      uuids.map(async (uuid) => {
        const guest = await this.#arrival(uuid, sample.host, heardAtMs);
        if (guest !== undefined) arrived.set(uuid, guest);
      }),
    );
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
  committed(host: string, arrivals: Arrivals, previous: HostState | undefined): void {
    const { metrics, log } = this.#options;
    for (const [uuid, { from, class: list, count }] of arrivals) {
      // After a lost store: it was here all the time, only its place had to be written down again.
      if (previous?.guests[uuid] !== undefined) continue;
      metrics.carriedOver.inc();
      log.info(
        { event: "guest-carried-over", host, uuid, from, class: list, count },
        `guest ${uuid} came from host ${from}: it stays ${list}, with crossing count ${count}`,
      );
    }
  }

  async #arrival(
    uuid: string,
    host: string,
    heardAtMs: number | undefined,
  ): Promise<ArrivedGuest | undefined> {
    const { places } = this.#options;
    const place = await places.arrive(uuid, host);
    if (place === undefined) return undefined;
    this.#sayProblem(uuid, place);
    const { from = place.host, carried } = place;
    const written = carried && { ...carried, from };
    // Stopped and started on one host it begins anew; else this host was about to take it and did not come to its commit.
    if (place.host === host) return from === host ? undefined : written;
    // Where that host still has it, its own state is newer than what was written down once.
    const known = await this.#known(uuid, place.host, heardAtMs);
    const arrived = known === undefined ? written : { ...known, from: place.host };
    await places.take(uuid, host, arrived?.from ?? place.host, known ?? carried);
    return arrived;
  }

  async #known(uuid: string, host: string, heardAtMs: number | undefined): Promise<CarriedGuest | undefined> {
    const { state, heardAtMs: lastMs } = await this.#options.store.read(host);
    if (state === undefined) return undefined;
    if (heardAtMs !== undefined && lastMs !== undefined && heardAtMs - lastMs > CARRIED_FOR_MS)
      return undefined;
    return carriedGuest(state, uuid);
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
