/** Runs decide() over the samples of one host, one after the other, and counts what comes of it. */
import { Topology, decide } from "@kvm-governor/policy";
import type { GuestClass, GuestPlan, Host, HostState, Report, Sample, Settings } from "@kvm-governor/policy";
import { GuestTally, NOT_HELD, heldBy } from "./guest-tally.ts";
import type { Held } from "./guest-tally.ts";

/** Something that happened to the lists of a host. */
export interface ListEvent {
  atMs: number;
  kind: "arrived" | "moved" | "left";
  uuid: string;
  name: string;
  /** The list it came into; of one that left: the list it was in. */
  class: GuestClass;
  from?: GuestClass;
  /** Why, in the words of the plan. */
  reason: string;
  /** Sizes of LIST_se and LIST_sc after it. */
  service: number;
  scientific: number;
}

/** A plan that differs from the one before. */
export interface PlanEvent {
  atMs: number;
  generation: number;
  guests: readonly GuestPlan[];
}

/** What one sample brought. */
export interface Step {
  report: Report;
  events: ListEvent[];
  plan: PlanEvent | undefined;
}

/** Figures of the host over the samples that are told. */
export interface HostFigures {
  samples: number;
  /** Not newer than the one before: left out. */
  repeated: number;
  fromMs: number | undefined;
  toMs: number | undefined;
  /** Time that lies between samples and in none of them: the collector or the recorder was away. */
  gaps: number;
  gapMs: number;
  boots: number;
  plans: number;
  cpus: number;
}

/** Jitter of a period is no gap. */
const GAP_PERIODS = 1.5;

export interface ReplayerOptions {
  settings: Settings;
  /** Samples that end before are decided on, so that lists and counts are as they were, and not told. */
  fromMs?: number;
}

export class Replayer {
  readonly tallies = new Map<string, GuestTally>();
  readonly figures: HostFigures = {
    samples: 0,
    repeated: 0,
    fromMs: undefined,
    toMs: undefined,
    gaps: 0,
    gapMs: 0,
    boots: 0,
    plans: 0,
    cpus: 0,
  };
  readonly #settings: Settings;
  readonly #fromMs: number;
  #state: HostState | undefined;
  #topology: { bootId: string; topology: Topology } | undefined;
  #held = new Map<string, Held>();
  readonly #lists = { service: 0, scientific: 0 };
  #classes = new Map<string, { class: GuestClass; name: string }>();

  constructor({ settings, fromMs = -Infinity }: ReplayerOptions) {
    this.#settings = settings;
    this.#fromMs = fromMs;
  }

  /** How the CPUs lie, from now on. */
  host({ bootId, topology }: Pick<Host, "bootId" | "topology">): void {
    this.#topology = { bootId, topology: new Topology(topology) };
  }

  /** @returns undefined where the sample is not newer than the one before, or is not told */
  sample(sample: Sample): Step | undefined {
    const before = this.#state;
    // CPUs may have other numbers after a boot.
    const topology = this.#topology?.bootId === sample.bootId ? this.#topology.topology : undefined;
    const decision = decide(before, sample, this.#settings, topology);
    if (decision.kind === "repeated") {
      this.figures.repeated += 1;
      return undefined;
    }
    this.#state = decision.next;
    const { report, plan } = decision;
    if (report.changed) this.#held = new Map(plan.guests.map((guest) => [guest.uuid, heldBy(guest)]));
    const events = this.#listEvents(decision.next, sample.wallTimeMs, plan.guests);
    if (sample.wallTimeMs < this.#fromMs) return undefined;
    this.#count(sample, before, report);
    for (const guest of report.guests) {
      const tally = this.#tally(guest.uuid, guest.name);
      tally.add(guest, this.#held.get(guest.uuid) ?? NOT_HELD, sample.wallTimeMs, sample.periodMs);
    }
    for (const { uuid, vcpus } of sample.guests) this.#tally(uuid, uuid).vcpus = vcpus.length;
    const { generation, guests } = plan;
    return {
      report,
      events,
      plan: report.changed ? { atMs: sample.wallTimeMs, generation, guests } : undefined,
    };
  }

  /** Nothing more comes. */
  end(): void {
    for (const tally of this.tallies.values()) tally.end();
  }

  #tally(uuid: string, name: string): GuestTally {
    let tally = this.tallies.get(uuid);
    if (tally === undefined) this.tallies.set(uuid, (tally = new GuestTally(uuid, name)));
    return tally;
  }

  #count(sample: Sample, before: HostState | undefined, report: Report): void {
    const { figures } = this;
    figures.samples += 1;
    figures.fromMs ??= sample.wallTimeMs;
    figures.toMs = sample.wallTimeMs;
    figures.cpus = sample.cpus.length;
    if (report.changed) figures.plans += 1;
    if (before?.bootId !== sample.bootId) figures.boots += 1;
    else {
      const passedMs = (sample.sequence - before.sequence) / 1000;
      if (passedMs <= GAP_PERIODS * sample.periodMs) return;
      figures.gaps += 1;
      figures.gapMs += passedMs - sample.periodMs;
    }
  }

  /** Who came, moved and left between two states. */
  #listEvents(next: HostState, atMs: number, plans: readonly GuestPlan[]): ListEvent[] {
    const events: ListEvent[] = [];
    for (const [uuid, { class: list, name }] of Object.entries(next.guests)) {
      const before = this.#classes.get(uuid);
      if (before?.class === list) continue;
      const reason = plans.find((plan) => plan.uuid === uuid)?.reasons[0]?.text ?? "";
      this.#classes.set(uuid, { class: list, name });
      this.#lists[list] += 1;
      if (before !== undefined) this.#lists[before.class] -= 1;
      const kind = before === undefined ? ("arrived" as const) : ("moved" as const);
      const from = before === undefined ? {} : { from: before.class };
      events.push({ atMs, kind, uuid, name, class: list, ...from, reason, ...this.#lists });
    }
    if (this.#classes.size > Object.keys(next.guests).length) this.#departures(next, atMs, events);
    return events;
  }

  #departures(next: HostState, atMs: number, events: ListEvent[]): void {
    for (const [uuid, { class: list, name }] of this.#classes) {
      if (next.guests[uuid] !== undefined) continue;
      this.#classes.delete(uuid);
      this.#lists[list] -= 1;
      events.push({
        atMs,
        kind: "left",
        uuid,
        name,
        class: list,
        reason: "no longer in the samples",
        ...this.#lists,
      });
    }
  }
}
