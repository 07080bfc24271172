/** Forgets hosts that are gone for good: nothing was heard of them for a long time, by the clock of the bus. */
import { carriedGuest } from "@kvm-governor/policy";
import type { Logger } from "@kvm-governor/service-kit";
import type { ClassifierMetrics } from "./metrics.ts";
import { CARRIED_FOR_MS } from "./migrations.ts";
import type { GuestPlaces } from "./store/guest-places.ts";
import { LaterStateError, StoreUnavailableError } from "./store/store.ts";
import type { Store } from "./store/store.ts";

export interface ForgettingOptions {
  store: Pick<Store, "hosts" | "heardAt" | "read" | "forget">;
  places: Pick<GuestPlaces, "leave">;
  /** Silence after which a host is forgotten, in milliseconds. */
  forgetHostMs: number;
  /** Now, by the clock of the bus, in milliseconds; undefined: nothing came from it lately, so nobody can be missed. */
  busNowMs: () => number | undefined;
  metrics: Pick<ClassifierMetrics, "forgotten">;
  log: Logger;
  forgotten: (host: string) => void;
}

/** What time it is for the bus, from the messages that come. */
export class BusClock {
  #storedAtMs = 0;
  #heardMs = -Infinity;

  /** @param nowMs of this process's monotonic clock */
  heard(storedAtMs: number, nowMs: number): void {
    if (storedAtMs < this.#storedAtMs && nowMs - this.#heardMs < QUIET_MS_MAX) return;
    this.#storedAtMs = storedAtMs;
    this.#heardMs = nowMs;
  }

  /** @returns undefined where nothing came lately */
  now(nowMs: number): number | undefined {
    const quietMs = nowMs - this.#heardMs;
    return quietMs < QUIET_MS_MAX ? this.#storedAtMs + quietMs : undefined;
  }
}

const QUIET_MS_MAX = 60_000;

export class Forgetting {
  readonly #options: ForgettingOptions;

  constructor(options: ForgettingOptions) {
    this.#options = options;
  }

  /** Looks once. May run in several classifiers: a host is removed once, and one that is heard meanwhile stays. */
  async look(): Promise<void> {
    const { store, busNowMs, forgetHostMs, log } = this.#options;
    const nowMs = busNowMs();
    if (nowMs === undefined) return;
    try {
      const hosts = await store.hosts();
      const heardAt = await store.heardAt(hosts);
      for (const [at, host] of hosts.entries()) {
        const silentMs = nowMs - (heardAt[at] ?? nowMs);
        if (silentMs > forgetHostMs) await this.#forget(host, silentMs);
      }
    } catch (error) {
      if (!(error instanceof StoreUnavailableError)) throw error;
      log.debug(
        { event: "forgetting-failed", err: error },
        `hosts that are gone stay for now: ${error.message}`,
      );
    }
  }

  async #forget(host: string, silentMs: number): Promise<void> {
    const { store, places, metrics, log, forgotten } = this.#options;
    const base = await store.read(host);
    // Not ours to remove.
    if (base.problem instanceof LaterStateError) return;
    for (const uuid of base.uuids) {
      const carried = base.state && carriedGuest(base.state, uuid);
      if (carried !== undefined) await places.leave(uuid, host, carried, CARRIED_FOR_MS);
    }
    if (!(await store.forget(host, base))) return;
    metrics.forgotten.inc();
    forgotten(host);
    const hours = Math.floor(silentMs / 3_600_000);
    log.info(
      { event: "host-forgotten", host, silentMs, guests: base.uuids.length },
      `host ${host} was silent for ${hours} hours: its lists and counts are removed`,
    );
  }
}
