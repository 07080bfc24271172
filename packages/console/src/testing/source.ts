/** A classifier's memory for tests: hosts whose samples are decided on by the real decide(). */
import { decide, settingsSchema } from "@kvm-governor/policy";
import type {
  AppliedSummary,
  GuestHistory,
  GuestSample,
  Host,
  HostState,
  Sample,
  Settings,
} from "@kvm-governor/policy";
import type { ConsoleSource, GuestSeries, HostFacts, HostLine, TickFacts } from "../facts.ts";

export const BOOT = "0b5a7a0e-0001-4000-8000-000000000001";
export const NO_HISTORY: GuestHistory = {
  decisions: [],
  writes: [],
  drift: [],
  wouldWrite: [],
  skipped: null,
};

export function uuidOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

/** The n-th guest, with vCPUs that all ran and waited alike. */
export function guest(
  n: number,
  run: number,
  rest: Partial<GuestSample> & { delay?: number; count?: number } = {},
): GuestSample {
  const { delay = 0, count = 1, ...fields } = rest;
  return {
    uuid: uuidOf(n),
    name: `guest-${n}`,
    pid: 1000 + n,
    startTime: 5000 + n,
    state: "running",
    declared: { class: "auto" },
    vcpus: Array.from({ length: count }, (_, index) => ({ index, run, delay, switches: 10 })),
    otherRun: 0,
    ...fields,
  };
}

export class TestSource implements ConsoleSource {
  nowMs = 1_800_000_000_000;
  startedAtMs = this.nowMs;
  stored: string[] = [];
  waiting: { name: string; detail: string }[] = [];
  others = new Map<string, HostLine>();
  lacking: string[] = [];
  asked = new Set<string>();
  histories = new Map<string, GuestHistory>();
  courses = new Map<string, GuestSeries>();
  readonly facts = new Map<string, HostFacts>();
  readonly #settings: Settings;
  readonly #states = new Map<string, HostState>();

  constructor(settings: Partial<Settings> = {}) {
    this.#settings = settingsSchema.parse(settings);
  }

  now(): number {
    return this.nowMs;
  }

  settings(): Settings {
    return this.#settings;
  }

  waitsFor(): { name: string; detail: string }[] {
    return this.waiting;
  }

  hosts(): Iterable<readonly [string, HostFacts]> {
    return this.facts;
  }

  host(id: string): HostFacts | undefined {
    return this.facts.get(id);
  }

  elsewhere(): ReadonlyMap<string, HostLine> {
    return this.others;
  }

  isAskedFor(id: string): boolean {
    return this.asked.has(id);
  }

  missing(): readonly string[] {
    return this.lacking;
  }

  storedHosts(): readonly string[] {
    return this.stored;
  }

  history(_host: string, uuid: string): GuestHistory {
    return this.histories.get(uuid) ?? NO_HISTORY;
  }

  series(_host: string, uuid: string): GuestSeries {
    return this.courses.get(uuid) ?? { fine: [], coarse: [], isFollowed: true };
  }

  sinceMs(): number | undefined {
    return this.startedAtMs;
  }

  /** One period of a host, a second after the one before. */
  tick(host: string, guests: readonly GuestSample[], rest: Partial<Sample> = {}): TickFacts {
    this.nowMs += 1000;
    const sample: Sample = {
      schema: 1,
      host,
      bootId: BOOT,
      sequence: (this.nowMs - this.startedAtMs) * 1000,
      wallTimeMs: this.nowMs,
      periodMs: 1000,
      cpus: [0, 1, 2, 3, 4, 5, 6, 7],
      hostRun: 0.5,
      guests: [...guests],
      unreadable: [],
      ...rest,
    };
    const decision = decide(this.#states.get(host), sample, this.#settings);
    if (decision.kind !== "decided") throw new Error("a new sample was taken for a repeated one");
    this.#states.set(host, decision.next);
    const { cpus, periodMs, pressure, unreadable } = sample;
    const tick: TickFacts = {
      sample: { cpus, periodMs, pressure, unreadable, hostRunCores: sample.hostRun },
      guests: new Map(guests.map((each) => [each.uuid, each])),
      report: decision.report,
      plan: decision.plan,
      decidedAtMs: this.nowMs,
      shortSince: new Map(),
    };
    this.put(host, { tick });
    return tick;
  }

  put(host: string, facts: Partial<HostFacts>): void {
    this.facts.set(host, { ...this.facts.get(host), ...facts });
  }

  applied(host: string, rest: Partial<AppliedSummary> = {}): void {
    const generation = this.facts.get(host)?.tick?.plan.generation ?? 0;
    const applied: AppliedSummary = {
      generation,
      sampleToReadBackMs: 12,
      verified: 1,
      writes: 0,
      errors: 0,
      drift: 0,
      skipped: [],
      switchFired: undefined,
      dryRun: false,
      receivedAtMs: this.nowMs,
      ...rest,
    };
    this.put(host, { applied });
  }
}

/** Announcement of a host whose CPUs lie one core after the other, in two caches. */
export function announcement(host: string, cpus: readonly number[], isolated: readonly number[] = []): Host {
  return {
    schema: 1,
    host,
    name: `${host}.example`,
    bootId: BOOT,
    wallTimeMs: 1,
    kernel: "6.12",
    cgroupVersion: 2,
    topology: cpus.map((cpu) => ({
      cpu,
      package: 0,
      node: 0,
      llc: cpu < 4 ? 0 : 4,
      core: cpu,
      isolated: isolated.includes(cpu),
    })),
    capabilities: [],
    metrics: {},
  };
}
