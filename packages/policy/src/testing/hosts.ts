/** Hosts for tests: samples of one host, tick after tick, and the decisions on them. */
import { decide } from "../decide/decide.ts";
import type { Decision } from "../decide/decide.ts";
import type { GuestReport } from "../decide/report.ts";
import type { GuestPlan } from "../contracts/plan.ts";
import type { GuestSample, Sample } from "../contracts/sample.ts";
import { presetSettings } from "../settings.ts";
import type { Settings } from "../settings.ts";
import type { HostState } from "../state.ts";
import type { Topology } from "../topology.ts";

export const BOOT = "0b5a7a0e-0001-4000-8000-000000000001";
export const OTHER_BOOT = "0b5a7a0e-0002-4000-8000-000000000002";

/** UUID of the n-th guest. */
export function uuidOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

/** CPUs 0 to n-1. */
export function cpus(n: number): number[] {
  return Array.from({ length: n }, (_, cpu) => cpu);
}

export interface Load {
  /** Part of a CPU that every vCPU ran; or one value a vCPU. */
  run?: number | readonly number[];
  delay?: number;
  vcpus?: number;
}

/** The n-th guest: two vCPUs, idle, not declared, unless said otherwise. */
export function guest(n: number, load: Load = {}, rest: Partial<GuestSample> = {}): GuestSample {
  const { run = 0, delay = 0 } = load;
  const runs = typeof run === "number" ? Array.from({ length: load.vcpus ?? 2 }, () => run) : run;
  return {
    uuid: uuidOf(n),
    name: `guest-${n}`,
    pid: 1000 + n,
    startTime: 5000 + n,
    state: "running",
    declared: { class: "auto" },
    vcpus: runs.map((value, index) => ({ index, run: value, delay })),
    otherRun: 0,
    ...rest,
  };
}

/** What a busy vCPU looks like that gets all it wants, and one that a quota below alpha holds. */
export const BUSY = { run: 1 };
export const HELD = { run: 0.25, delay: 0.75 };
export const QUIET = { run: 0.02 };

export type Decided = Extract<Decision, { kind: "decided" }>;

/** One host with a memory: feeds each tick's guests to decide() with the state of the tick before. */
export class TestHost {
  readonly settings: Settings;
  state: HostState | undefined;
  ticks = 0;
  /** How its CPUs lie; undefined: not known. */
  topology: Topology | undefined;
  #rest: Partial<Sample>;

  constructor(settings: Partial<Settings> = {}, rest: Partial<Sample> = {}, topology?: Topology) {
    this.topology = topology;
    this.settings = presetSettings(settings.preset ?? "default", settings);
    this.#rest = { cpus: cpus(16), ...rest };
  }

  sample(guests: readonly GuestSample[], rest: Partial<Sample> = {}): Sample {
    return {
      schema: 1,
      host: "h1",
      bootId: BOOT,
      sequence: 60_000_000 + this.ticks * 1_000_000,
      wallTimeMs: 1_800_000_000_000 + this.ticks * 1000,
      periodMs: 1000,
      cpus: cpus(16),
      hostRun: 0,
      guests: [...guests],
      unreadable: [],
      ...this.#rest,
      ...rest,
    };
  }

  /** Decides on a sample as it is, and remembers the outcome. */
  feed(sample: Sample): Decision {
    const decision = decide(this.state, sample, this.settings, this.topology);
    if (decision.kind === "decided") this.state = decision.next;
    return decision;
  }

  /** One more period with these guests. */
  tick(guests: readonly GuestSample[], rest: Partial<Sample> = {}): Decided {
    this.ticks += 1;
    const decision = this.feed(this.sample(guests, rest));
    if (decision.kind !== "decided") throw new Error("a new sample was taken for a repeated one");
    return decision;
  }

  /** The same period several times; the last decision. */
  run(times: number, guests: readonly GuestSample[], rest: Partial<Sample> = {}): Decided {
    let decision = this.tick(guests, rest);
    for (let i = 1; i < times; i++) decision = this.tick(guests, rest);
    return decision;
  }

  /** Periods until the n-th guest is in a list, or undefined after `most` of them. */
  ticksUntil(
    n: number,
    list: "service" | "scientific",
    guests: readonly GuestSample[],
    most = 100,
  ): number | undefined {
    for (let i = 1; i <= most; i++) {
      if (planOf(this.tick(guests), n).class === list) return i;
    }
    return undefined;
  }
}

/** Plan of the n-th guest. */
export function planOf(decision: Decided, n: number): GuestPlan {
  const plan = decision.plan.guests.find(({ uuid }) => uuid === uuidOf(n));
  if (plan === undefined) throw new Error(`guest ${n} is not in the plan`);
  return plan;
}

/** Report on the n-th guest. */
export function reportOf(decision: Decided, n: number): GuestReport {
  const report = decision.report.guests.find(({ uuid }) => uuid === uuidOf(n));
  if (report === undefined) throw new Error(`guest ${n} is not in the report`);
  return report;
}

/** CPUs of each vCPU of the n-th guest. */
export function cpusOf(decision: Decided, n: number): GuestPlan["vcpus"][number]["cpus"][] {
  return planOf(decision, n).vcpus.map((vcpu) => vcpu.cpus);
}

/** Bandwidth of each vCPU of the n-th guest. */
export function bandwidthOf(decision: Decided, n: number): GuestPlan["vcpus"][number]["bandwidth"][] {
  return planOf(decision, n).vcpus.map((vcpu) => vcpu.bandwidth);
}

/** Codes of the reasons of the n-th guest's plan. */
export function reasonCodes(decision: Decided, n: number): string[] {
  return planOf(decision, n).reasons.map(({ code }) => code);
}
