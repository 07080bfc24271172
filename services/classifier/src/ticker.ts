/**
 * One tick of one host: decide on a sample, commit the lists, publish the plan. May be repeated at any point: a tick
 * that is committed is recognised, and only its plan is published again.
 */
import { decide } from "@kvm-governor/policy";
import type {
  Applied,
  Decision,
  HostState,
  Plan,
  Report,
  Sample,
  Settings,
  Topology,
} from "@kvm-governor/policy";
import { TRACING_OFF } from "@kvm-governor/service-kit";
import type { Logger, Tracing } from "@kvm-governor/service-kit";
import { Bases } from "./memory/bases.ts";
import type { Base } from "./memory/bases.ts";
import { DuplicateHostError, stateBefore } from "./identity.ts";
import type { ClassifierMetrics } from "./metrics.ts";
import type { Arrivals, Migrations } from "./migrations.ts";
import { CONFLICTS_MAX, PublishedPlans } from "./published-plans.ts";
import type { FoundPlan, PlanStore, PublishOptions } from "./published-plans.ts";
import { aboveGeneration, newestState, stateFromPlan } from "./recover.ts";
import type { HistoryPoint } from "./recover.ts";
import { shareTexts } from "./same-texts.ts";
import { SharedParts } from "./shared-parts.ts";
import { LaterStateError, StoreUnavailableError } from "./store/store.ts";
import type { CommitResult, Store, StoredHost } from "./store/store.ts";

/** What a tick needs of the store. */
export type TickStore = Pick<Store, "read" | "commit">;

export interface TickerOptions {
  store: TickStore;
  plans: PlanStore;
  settings: () => Settings;
  /** How the CPUs of the sample's host lie; undefined: not known (yet). */
  topologyOf: (sample: Sample) => Topology | undefined;
  metrics: ClassifierMetrics;
  log: Logger;
  /** A tick was committed. `before` is the plan that it follows. */
  committed: (sample: Sample, plan: Plan, report: Report, before: Plan | undefined) => void;
  /** Absent: guests that come from another host begin anew. */
  migrations?: Pick<Migrations, "arrivals" | "departures" | "committed">;
  /** By default off. */
  tracing?: Tracing;
}

/** One sample on its way. */
interface Tick {
  sample: Sample;
  /** When the bus took it, by its clock, in milliseconds; undefined: not known. */
  heardAtMs: number | undefined;
}

/** By OpenTelemetry's conventions for databases. */
const STORE_CALL = { "db.system.name": "redis" };

export class Ticker {
  readonly #options: TickerOptions;
  readonly #plans: PublishedPlans;
  readonly #bases = new Bases();
  readonly #applied = new Map<string, HistoryPoint>();
  readonly #parts = new SharedParts();

  constructor(options: TickerOptions) {
    this.#options = options;
    this.#plans = new PublishedPlans(options);
  }

  /**
   * Works off one sample. When it returns, the decision is in the store and its plan is published.
   * @param heardAtMs when the bus took it, by the bus's clock, in milliseconds; tells hosts that booted from others with their id
   * @throws {StoreUnavailableError | PlansUnavailableError} try again: nothing is decided twice
   * @throws {DuplicateHostError} it comes from another machine with the same id
   * @throws {LaterStateError | ContractVersionError} a later version governs the host: what it stored or published is left as it is
   */
  async tick(sample: Sample, heardAtMs?: number): Promise<"decided" | "repeated"> {
    try {
      return await this.#tick({ sample, heardAtMs });
    } catch (error) {
      if (error instanceof DuplicateHostError) throw error;
      // What is remembered may not be what is stored any more.
      this.#bases.delete(sample.host);
      throw error;
    }
  }

  /** Later generations of the host will be above this one, whatever was lost. */
  seenApplied({ host, bootId, generation, sequence }: Applied): void {
    if (generation > (this.#applied.get(host)?.generation ?? 0)) {
      this.#applied.set(host, { bootId, generation, sequence });
    }
  }

  /** Hosts that another classifier works off from now on: what is remembered of them grows old. */
  forget(isGone: (host: string) => boolean): void {
    for (const host of this.#bases.hosts()) if (isGone(host)) this.#bases.delete(host);
    for (const host of this.#applied.keys()) if (isGone(host)) this.#applied.delete(host);
  }

  async #tick(tick: Tick): Promise<"decided" | "repeated"> {
    const { metrics, migrations } = this.#options;
    const { sample, heardAtMs } = tick;
    const { host } = sample;
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      const base = this.#bases.get(host) ?? (await this.#load(host));
      const before = stateBefore(base, sample, heardAtMs);
      if (before === "late") return "repeated";
      shareTexts(sample, before);
      const arrivals = isRepeated(before, sample) ? undefined : await this.#arrivals(tick, base);
      const decision = this.#decide(sample, before, arrivals);
      if (decision.kind === "repeated") {
        if (decision.plan !== undefined) await this.#publish(base, decision.plan);
        return "repeated";
      }
      // Once for both: it is the largest part of a tick's work beside reading the sample.
      const text = JSON.stringify(decision.plan);
      await migrations?.departures(host, base.previous, decision.next);
      const result = await this.#commit(tick, base.stored, decision.next, text);
      if (result.kind === "conflict") {
        metrics.conflicts.inc();
        this.#bases.delete(host);
        continue;
      }
      const next: Base = { ...base, stored: result.stored, previous: decision.next, heardAtMs };
      this.#bases.set(host, next);
      this.#options.committed(sample, decision.plan, decision.report, base.previous?.plan);
      if (arrivals !== undefined) migrations?.committed(host, arrivals);
      const follows = base.previous ?? { bootId: sample.bootId, generation: 0, sequence: 0 };
      const unknown = await this.#publish(next, decision.plan, { text, follows });
      if (unknown === undefined) return "decided";
      // The store had lost what somebody published: decided once more, from that, so that nothing is counted out.
      metrics.conflicts.inc();
      const previous = stateFromPlan(unknown.plan);
      this.#bases.set(host, { ...next, place: unknown, previous, heardAtMs: undefined });
    }
    throw new StoreUnavailableError(`host ${host}: ${CONFLICTS_MAX} commits in a row met a conflict`);
  }

  get #tracing(): Tracing {
    return this.#options.tracing ?? TRACING_OFF;
  }

  #arrivals({ sample, heardAtMs }: Tick, { stored, previous }: Base): Promise<Arrivals> | undefined {
    // Where nobody wrote down when the host was heard, nobody wrote down where its guests are.
    const isUnplaced = stored.heardAtMs === undefined;
    return this.#options.migrations?.arrivals(previous, { sample, heardAtMs, isUnplaced });
  }

  #decide(sample: Sample, before: HostState | undefined, arrivals: Arrivals | undefined): Decision {
    const { settings, topologyOf } = this.#options;
    return this.#tracing.span({ name: "decide" }, (span) => {
      const previous = aboveGeneration(withoutArrived(before, arrivals), this.#applied.get(sample.host));
      const decision = decide(previous, sample, settings(), topologyOf(sample), arrivals);
      const isDecided = decision.kind === "decided";
      if (isDecided) this.#parts.share(decision.plan, previous?.plan);
      span.set({
        "kvmgov.generation": decision.plan?.generation,
        "kvmgov.plan.changed": isDecided && decision.report.changed,
        "kvmgov.guests.moved": isDecided ? movedIn(decision.report) : undefined,
      });
      return decision;
    });
  }

  /** A conflict is no failure: somebody else was first, and the tick decides again. */
  #commit(
    { sample, heardAtMs }: Tick,
    base: StoredHost,
    next: HostState,
    text: string,
  ): Promise<CommitResult> {
    const attributes = {
      ...STORE_CALL,
      "db.operation.name": "EVALSHA",
      "db.stored_procedure.name": "commitTick",
    };
    return this.#tracing.span({ name: "commit state", kind: "client", attributes }, async (span) => {
      const result = await this.#options.store.commit(sample.host, base, next, {
        planText: text,
        heardAtMs,
      });
      span.set({ "kvmgov.commit": result.kind });
      return result;
    });
  }

  #load(host: string): Promise<Base> {
    return this.#tracing.span({ name: "load state", kind: "client", attributes: STORE_CALL }, () =>
      this.#readBase(host),
    );
  }

  /** Reads the store and the published plan; the newer of the two is what to go on from. */
  async #readBase(host: string): Promise<Base> {
    const [stored, place] = await Promise.all([this.#options.store.read(host), this.#plans.read(host)]);
    const { plan } = place;
    const { log, metrics } = this.#options;
    if (stored.problem instanceof LaterStateError) throw stored.problem;
    if (stored.problem !== undefined) {
      metrics.corrupt.inc({ source: "store" });
      const from = plan === undefined ? "nothing" : `the plan of generation ${plan.generation}`;
      log.error(
        { event: "stored-state-corrupt", host, err: stored.problem },
        `${stored.problem.message}; rebuilt from ${from}`,
      );
    }
    const previous = newestState(stored.state, plan);
    if (previous?.plan !== undefined) this.#parts.share(previous.plan, undefined);
    const base: Base = {
      stored,
      previous,
      // A state that was rebuilt from a plan is another one than was stored with this time.
      heardAtMs: previous === stored.state ? stored.heardAtMs : undefined,
      place,
    };
    this.#bases.set(host, base);
    return base;
  }

  /** @returns a plan that the base does not know of: the decision has to follow that one */
  async #publish(base: Base, plan: Plan, options: PublishOptions = {}): Promise<FoundPlan | undefined> {
    const result = await this.#plans.publish(base.place, plan, options);
    if (result.kind === "published") this.#bases.published(plan.host, result.place);
    // Somebody else went on.
    if (result.kind === "newer-found") this.#bases.delete(plan.host);
    return result.kind === "unknown-found" ? result.found : undefined;
  }
}

/** It may show guests that have left since: what it says of them must not be written down. */
function isRepeated(before: HostState | undefined, sample: Sample): boolean {
  return before?.bootId === sample.bootId && sample.sequence <= before.sequence;
}

/** A guest that was new here lately begins again with what is known of it from elsewhere. */
function withoutArrived(
  before: HostState | undefined,
  arrivals: Arrivals | undefined,
): HostState | undefined {
  if (before === undefined || arrivals === undefined || arrivals.size === 0) return before;
  const guests = Object.fromEntries(Object.entries(before.guests).filter(([uuid]) => !arrivals.has(uuid)));
  return { ...before, guests };
}

function movedIn({ guests }: Report): number {
  return guests.filter(({ movedFrom }) => movedFrom !== undefined).length;
}
