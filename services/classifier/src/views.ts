/** What this classifier knows of each host, in memory: for the pages. The lists themselves are in the store. */
import type { HostFacts, TickFacts, Trouble } from "@kvm-governor/console";
import type { Applied, GuestReport, Host, Plan, Report, Sample } from "@kvm-governor/policy";
import { isSameList, KeptSamples } from "./memory/kept-samples.ts";
import { KeptReports } from "./memory/kept-reports.ts";

/** What is shown of a sample: everything but its guests, whose use is in the report. */
export interface SampleSummary {
  bootId: string;
  /** CLOCK_BOOTTIME of the host, in microseconds. */
  sequence: number;
  wallTimeMs: number;
  periodMs: number;
  cpus: readonly number[];
  hostRunCores: number;
  pressure: number | undefined;
  guests: number;
  unreadable: Sample["unreadable"];
}

/**
 * The last decision on a host. What it says of guests is made when it is asked for, from figures that the next decision writes over:
 * to be read at once, not kept.
 */
export interface Tick extends TickFacts {
  sample: SampleSummary;
  /** Of services that declared a delay, by UUID. */
  delays: ReadonlyMap<string, DelayCount>;
}

/** Periods of a service that declared a delay, since this classifier works off its host. */
export interface DelayCount {
  slaDelay: number;
  /** Part of the time that its vCPUs waited in the last period that could be read. */
  delay: number;
  periods: number;
  /** Periods in which it waited longer than it declared. */
  exceeded: number;
}

export interface HostView extends HostFacts {
  tick?: Tick;
}

/** A host that is silent for this long has left; its lists stay in the store. */
const FORGET_AFTER_MS = 24 * 3_600_000;
/** A host without a tick for this long has no guests on the metrics page. */
const CURRENT_FOR_MS = 300_000;

export class Views {
  readonly #now: () => number;
  readonly #hosts = new Map<string, HostView>();
  /** What is made into the `guests` and `report` of each host's tick. */
  readonly #figures = new Map<string, TickFigures>();

  /** @param now wall clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  get(host: string): HostView | undefined {
    return this.#hosts.get(host);
  }

  entries(): IterableIterator<[string, HostView]> {
    this.#forget();
    return this.#hosts.entries();
  }

  /** The ticks that are recent enough to speak for their guests. */
  currentTicks(): [string, Tick][] {
    const oldest = this.#now() - CURRENT_FOR_MS;
    const ticks: [string, Tick][] = [];
    for (const [host, { tick }] of this.entries()) {
      if (tick !== undefined && tick.decidedAtMs >= oldest) ticks.push([host, tick]);
    }
    return ticks;
  }

  decided(sample: Sample, plan: Plan, report: Report): void {
    const view = this.#of(sample.host);
    const decidedAtMs = this.#now();
    const figures = this.#figuresOf(sample.host);
    figures.samples.take(sample.guests);
    figures.reports.take(report.guests);
    const before = view.tick;
    view.knownSinceMs ??= decidedAtMs;
    view.tick = tickOf(figures, {
      sample: summaryOf(sample, before?.sample),
      report,
      plan,
      decidedAtMs,
      shortSince: shortGuests(sample, report, plan, before?.shortSince, decidedAtMs),
      delays: delayCounts(report, before?.delays),
    });
  }

  applied(applied: Applied): void {
    const view = this.#of(applied.host);
    view.applied = {
      generation: applied.generation,
      sampleToReadBackMs: (applied.readBackAtUs - applied.sequence) / 1000,
      verified: applied.verified,
      writes: applied.writes.length,
      errors: applied.writes.filter((write) => write.error !== undefined).length,
      drift: applied.drift.length,
      skipped: applied.skipped,
      switchFired: applied.switchFired,
      dryRun: applied.dryRun ?? false,
      receivedAtMs: this.#now(),
    };
    const { errors, drift, receivedAtMs: atMs } = view.applied;
    const trouble = (count: number, name: "errors" | "drift"): { [key in typeof name]?: Trouble } =>
      count === 0 ? {} : { [name]: { atMs, count } };
    view.troubles = { ...view.troubles, ...trouble(errors, "errors"), ...trouble(drift, "drift") };
  }

  /** Hosts that another classifier works off from now on: only what they announce is still heard here. */
  forget(isGone: (host: string) => boolean): void {
    for (const [host, view] of this.#hosts) {
      if (!isGone(host)) continue;
      this.#figures.delete(host);
      if (view.announced === undefined) this.#hosts.delete(host);
      else this.#hosts.set(host, { announced: view.announced });
    }
  }

  announced(host: Host): void {
    this.#of(host.host).announced = { host, receivedAtMs: this.#now() };
  }

  #of(host: string): HostView {
    let view = this.#hosts.get(host);
    if (view === undefined) this.#hosts.set(host, (view = {}));
    return view;
  }

  #figuresOf(host: string): TickFigures {
    let figures = this.#figures.get(host);
    if (figures === undefined)
      this.#figures.set(host, (figures = { samples: new KeptSamples(), reports: new KeptReports() }));
    return figures;
  }

  #forget(): void {
    const oldest = this.#now() - FORGET_AFTER_MS;
    for (const [host, view] of this.#hosts) {
      if (lastHeardMs(view) >= oldest) continue;
      this.#hosts.delete(host);
      this.#figures.delete(host);
    }
  }
}

interface TickFigures {
  samples: KeptSamples;
  reports: KeptReports;
}

/** Own properties that are read as any other, also by what copies or prints an object. */
function tickOf({ samples, reports }: TickFigures, { report, ...rest }: Omit<Tick, "guests">): Tick {
  const { guests: _, ...head } = report;
  return {
    ...rest,
    get guests() {
      return samples.guests();
    },
    report: {
      get guests() {
        return reports.guests();
      },
      ...head,
    },
  };
}

/** Part of the wanted time that a guest waits, and of its promise that it gets: as in the alert of the same kind. */
const SHORT = { waitedMin: 0.1, gotMax: 0.95 };

const NOBODY: ReadonlyMap<string, number> = new Map();

/** Service guests that wait although they use less than they want of their SLA, and since when. */
function shortGuests(
  { guests }: Sample,
  report: Report,
  plan: Plan,
  before: ReadonlyMap<string, number> | undefined,
  nowMs: number,
): ReadonlyMap<string, number> {
  const waiting = report.guests.filter(isWaiting);
  if (waiting.length === 0) return NOBODY;
  const promised = new Map(plan.guests.map(({ uuid, slaCores }) => [uuid, slaCores]));
  const sizes = new Map(guests.map(({ uuid, vcpus }) => [uuid, vcpus.length]));
  const short = new Map<string, number>();
  for (const { uuid, usage, demand } of waiting) {
    const slaCores = promised.get(uuid);
    if (slaCores === undefined) continue;
    const vcpus = sizes.get(uuid) ?? 0;
    const isBelow = usage * vcpus < SHORT.gotMax * Math.min(demand * vcpus, slaCores);
    if (isBelow) short.set(uuid, before?.get(uuid) ?? nowMs);
  }
  return short.size === 0 ? NOBODY : short;
}

function isWaiting({ class: kind, readable, usage, delay }: GuestReport): boolean {
  return kind === "service" && readable && delay > SHORT.waitedMin * (usage + delay);
}

const NO_DELAYS: ReadonlyMap<string, DelayCount> = new Map();

function delayCounts(
  { guests, delayRung }: Report,
  before: Tick["delays"] = NO_DELAYS,
): ReadonlyMap<string, DelayCount> {
  if (delayRung === undefined) return NO_DELAYS;
  const counts = new Map<string, DelayCount>();
  for (const { uuid, readable, delay, slaDelay } of guests) {
    if (slaDelay === undefined) continue;
    const old = before.get(uuid) ?? { delay: 0, periods: 0, exceeded: 0 };
    counts.set(
      uuid,
      readable
        ? {
            slaDelay,
            delay,
            periods: old.periods + 1,
            exceeded: old.exceeded + Number(delay > slaDelay),
          }
        : { ...old, slaDelay },
    );
  }
  return counts;
}

/** When a host was last heard of, by this machine's clock. */
export function lastHeardMs({ tick, applied, announced }: HostView): number {
  return Math.max(tick?.decidedAtMs ?? 0, applied?.receivedAtMs ?? 0, announced?.receivedAtMs ?? 0);
}

/** The last report on one guest. */
export function guestReport(tick: Tick | undefined, uuid: string): GuestReport | undefined {
  return tick?.report.guests.find((guest) => guest.uuid === uuid);
}

const NONE: Sample["unreadable"] = [];

/** @param before of which lists are taken where they are the same: one for each host of a fleet, and a new one at each tick */
function summaryOf(sample: Sample, before: SampleSummary | undefined): SampleSummary {
  return {
    bootId: sample.bootId,
    sequence: sample.sequence,
    wallTimeMs: sample.wallTimeMs,
    periodMs: sample.periodMs,
    cpus: before !== undefined && isSameList(before.cpus, sample.cpus) ? before.cpus : sample.cpus,
    hostRunCores: sample.hostRun,
    pressure: sample.pressure,
    guests: sample.guests.length,
    unreadable: sample.unreadable.length === 0 ? NONE : sample.unreadable,
  };
}
