/**
 * What the console is told: this classifier's memory, and what others answered last on the hosts that they work off. Nothing is waited
 * for: the next answers are asked for while somebody looks, and so is the list of hosts in the store.
 */
import type { ConsoleSource, HostFacts, HostLine } from "@kvm-governor/console";
import type { GuestHistory, Settings } from "@kvm-governor/policy";
import type { Readiness } from "@kvm-governor/service-kit";
import type { Others, Wanted } from "./facts/others.ts";
import type { OtherHost } from "./facts/wire.ts";
import { isCurrent, isLater, withAnnounced } from "./fleet-facts.ts";
import type { History } from "./history.ts";
import type { SeriesStore } from "./series/series.ts";
import { StoreUnavailableError } from "./store/store.ts";
import type { Store } from "./store/store.ts";
import type { HostView, Views } from "./views.ts";

export interface ConsoleSourceOptions {
  views: Views;
  history: Pick<History, "of">;
  series: SeriesStore;
  others: Pick<Others, "host" | "fleet" | "isAskedFor" | "missing">;
  store: Pick<Store, "hosts">;
  readiness: Pick<Readiness, "parts">;
  settings: () => Settings;
  /** Wall clock in milliseconds. */
  now: () => number;
  onError: (error: unknown) => void;
}

/** How often the store is asked which hosts there are, while somebody looks. */
const ASK_EVERY_MS = 15_000;

const NO_HISTORY: GuestHistory = { decisions: [], writes: [], drift: [], wouldWrite: [], skipped: null };

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

  elsewhere(): ReadonlyMap<string, HostLine> {
    return this.#options.others.fleet();
  }

  isAskedFor(id: string): boolean {
    return this.#options.others.isAskedFor(id);
  }

  missing(host?: string, guest?: string): readonly string[] {
    return this.#options.others.missing(host, wantedOf(guest));
  }

  host(id: string, guest?: string): HostFacts | undefined {
    const own = this.#options.views.get(id);
    const other = this.#other(id, own, guest);
    return other === undefined ? own : withAnnounced(other.view, own);
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

  history(host: string, uuid: string): GuestHistory {
    const other = this.#other(host, this.#options.views.get(host), uuid);
    return other === undefined ? this.#options.history.of(host, uuid) : (other.history ?? NO_HISTORY);
  }

  series(host: string, uuid: string): ReturnType<SeriesStore["watch"]> {
    const other = this.#other(host, this.#options.views.get(host), uuid);
    if (other === undefined) return this.#options.series.watch(host, uuid);
    return other.series ?? { fine: [], coarse: [], isFollowed: true };
  }

  /** The plan knows since when, by the host's clock since its boot. */
  sinceMs(host: string, uuid: string): number | undefined {
    const own = this.#options.views.get(host);
    const { tick } = this.#other(host, own, uuid)?.view ?? own ?? {};
    const since = tick?.plan.guests.find((guest) => guest.uuid === uuid)?.since;
    if (tick === undefined || since === undefined || since > tick.sample.sequence) return undefined;
    return Math.round(tick.decidedAtMs - (tick.sample.sequence - since) / 1000);
  }

  /** What another classifier says of a host, where it knows better; the next answer is asked for. */
  #other(id: string, own: HostView | undefined, guest: string | undefined): OtherHost | undefined {
    if (isCurrent(own, this.now())) return undefined;
    const { value: other } = this.#options.others.host(id, wantedOf(guest));
    return other !== undefined && isLater(other.view, own) ? other : undefined;
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

const wantedOf = (guest: string | undefined): Wanted => (guest === undefined ? {} : { guest });
