/** What the console is told: this classifier's memory. Only the list of hosts in the store is asked for, now and then. */
import type { ConsoleSource, HostFacts } from "@kvm-governor/console";
import type { Settings } from "@kvm-governor/policy";
import type { Readiness } from "@kvm-governor/service-kit";
import type { History } from "./history.ts";
import type { SeriesStore } from "./series/series.ts";
import { StoreUnavailableError } from "./store/store.ts";
import type { Store } from "./store/store.ts";
import type { Views } from "./views.ts";

export interface ConsoleSourceOptions {
  views: Views;
  history: Pick<History, "of">;
  series: SeriesStore;
  store: Pick<Store, "hosts">;
  readiness: Pick<Readiness, "parts">;
  settings: () => Settings;
  /** Wall clock in milliseconds. */
  now: () => number;
  onError: (error: unknown) => void;
}

/** How often the store is asked which hosts there are, while somebody looks. */
const ASK_EVERY_MS = 15_000;

export class ClassifierFacts implements ConsoleSource {
  readonly startedAtMs: number;
  readonly #options: ConsoleSourceOptions;
  #stored: readonly string[] = [];
  #askedAtMs = -Infinity;

  constructor(options: ConsoleSourceOptions) {
    this.#options = options;
    this.startedAtMs = options.now();
  }

  now(): number {
    return this.#options.now();
  }

  settings(): Settings {
    return this.#options.settings();
  }

  waitsFor(): { name: string; detail: string }[] {
    return Object.entries(this.#options.readiness.parts())
      .filter(([, { ok }]) => !ok)
      .map(([name, { detail }]) => ({ name, detail }));
  }

  hosts(): Iterable<readonly [string, HostFacts]> {
    return this.#options.views.entries();
  }

  host(id: string): HostFacts | undefined {
    return this.#options.views.get(id);
  }

  /** As of the last answer: the next one is asked for, not waited for. */
  storedHosts(): readonly string[] {
    const nowMs = this.now();
    if (nowMs - this.#askedAtMs >= ASK_EVERY_MS) {
      this.#askedAtMs = nowMs;
      this.#ask().catch((error: unknown) => this.#options.onError(error));
    }
    return this.#stored;
  }

  history(host: string, uuid: string): ReturnType<History["of"]> {
    return this.#options.history.of(host, uuid);
  }

  series(host: string, uuid: string): ReturnType<SeriesStore["watch"]> {
    return this.#options.series.watch(host, uuid);
  }

  /** The plan knows since when, by the host's clock since its boot. */
  sinceMs(host: string, uuid: string): number | undefined {
    const tick = this.#options.views.get(host)?.tick;
    const since = tick?.plan.guests.find((guest) => guest.uuid === uuid)?.since;
    if (tick === undefined || since === undefined || since > tick.sample.sequence) return undefined;
    return Math.round(tick.decidedAtMs - (tick.sample.sequence - since) / 1000);
  }

  async #ask(): Promise<void> {
    try {
      this.#stored = await this.#options.store.hosts();
    } catch (error) {
      // The page says already that Redis is away.
      if (!(error instanceof StoreUnavailableError)) throw error;
    }
  }
}
