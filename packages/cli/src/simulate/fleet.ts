/**
 * Simulated hosts on a real bus: each samples once a period, their phases spread evenly over it, by one timer for all; each
 * obeys its plans, reports on them, announces itself, and goes back to its baseline when a plan is not renewed.
 */
import { performance } from "node:perf_hooks";
import { parseContract, planSchema } from "@kvm-governor/policy";
import type { Bus, PlanEntry } from "@kvm-governor/service-kit";
import { Latencies } from "./latencies.ts";
import { readPlanHead } from "./plan-head.ts";
import type { SimHost } from "./sim-host.ts";

export interface FleetOptions {
  bus: Bus;
  hosts: readonly SimHost[];
  periodMs: number;
  /** Reports of actuators; without them the classifier has less to do. */
  reports?: boolean;
}

/** What happened; all are numbers of hosts' messages since the beginning. */
export interface FleetCounts {
  samplesSent: number;
  /** Not sent, because the one before was not taken yet. */
  samplesHeldBack: number;
  plansReceived: number;
  plansFollowed: number;
  plansRefused: number;
  /** Plans that were not renewed in time: the host went back to its baseline. */
  plansExpired: number;
  errors: number;
}

const TIMER_MS = 5;
const HEARTBEAT_MS = 60_000;
/** A boot is this long ago when the simulation begins, in microseconds. */
const BOOTED_US = 600_000_000;

export class SimFleet {
  readonly counts: FleetCounts = {
    samplesSent: 0,
    samplesHeldBack: 0,
    plansReceived: 0,
    plansFollowed: 0,
    plansRefused: 0,
    plansExpired: 0,
    errors: 0,
  };
  /** From a sample handed to the bus to its plan here, in milliseconds. */
  latencies = new Latencies();
  readonly #options: FleetOptions;
  readonly #byId: Map<string, { host: SimHost; sequence: number; sentMs: number; isSending: boolean }>;
  readonly #stop = new AbortController();
  readonly #startedMs = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #watching: Promise<void> = Promise.resolve();
  #ticks = 0;
  #lastError: Error | undefined;

  constructor(options: FleetOptions) {
    this.#options = options;
    this.#byId = new Map(
      options.hosts.map((host) => [host.id, { host, sequence: 0, sentMs: 0, isSending: false }]),
    );
  }

  get lastError(): Error | undefined {
    return this.#lastError;
  }

  /** Hosts whose plan is in force now. */
  get governed(): number {
    return this.#options.hosts.filter(({ generation }) => generation !== undefined).length;
  }

  start(): void {
    const { bus } = this.#options;
    this.#watching = bus.plans.watchAll(
      this.#stop.signal,
      (entry) => this.#onPlan(entry),
      (error) => this.#failed(error),
    );
    this.resume();
  }

  /** Sends no further samples; plans are still obeyed. */
  pause(): void {
    clearInterval(this.#timer);
  }

  resume(): void {
    clearInterval(this.#timer);
    this.#ticks = Math.ceil(this.#elapsedMs() / this.#spacingMs());
    this.#timer = setInterval(() => this.#sendDue(), TIMER_MS);
  }

  async stop(): Promise<void> {
    this.pause();
    this.#stop.abort();
    await this.#watching;
  }

  #elapsedMs(): number {
    return performance.now() - this.#startedMs;
  }

  #spacingMs(): number {
    return this.#options.periodMs / this.#options.hosts.length;
  }

  #nowUs(): number {
    return BOOTED_US + Math.floor(this.#elapsedMs() * 1000);
  }

  #sendDue(): void {
    const { hosts, periodMs } = this.#options;
    const due = Math.floor(this.#elapsedMs() / this.#spacingMs());
    // After a pause of this process one tick of each host is due, not all that were missed.
    this.#ticks = Math.max(this.#ticks, due - hosts.length);
    const rounds = Math.max(1, Math.round(HEARTBEAT_MS / periodMs));
    for (; this.#ticks < due; this.#ticks++) {
      const host = hosts[this.#ticks % hosts.length];
      if (host === undefined) return;
      if (Math.floor(this.#ticks / hosts.length) % rounds === 0 || this.#isFirst(host)) this.#announce(host);
      this.#sample(host);
    }
  }

  #isFirst(host: SimHost): boolean {
    return this.#byId.get(host.id)?.sequence === 0;
  }

  #announce(host: SimHost): void {
    this.#options.bus
      .publish("host", host.id, host.announcement(Date.now()))
      .catch((error: unknown) => this.#failed(error as Error));
  }

  #sample(host: SimHost): void {
    const { bus, periodMs } = this.#options;
    const state = this.#byId.get(host.id);
    if (state === undefined) return;
    const nowUs = this.#nowUs();
    if (host.expire(nowUs)) {
      this.counts.plansExpired++;
      this.#report(host, "expired");
    }
    if (state.isSending) {
      this.counts.samplesHeldBack++;
      return;
    }
    const sample = host.sample(this.#elapsedMs(), nowUs, Date.now(), periodMs);
    state.isSending = true;
    state.sequence = nowUs;
    state.sentMs = performance.now();
    bus.publish("sample", host.id, sample).then(
      () => {
        state.isSending = false;
        this.counts.samplesSent++;
      },
      (error: unknown) => {
        state.isSending = false;
        this.#failed(error as Error);
      },
    );
  }

  #onPlan({ host: id, data }: PlanEntry): void {
    const state = this.#byId.get(id);
    if (state === undefined) return;
    try {
      const head = readPlanHead(data);
      // What an earlier simulation left behind.
      if (head.bootId !== state.host.bootId) return;
      this.counts.plansReceived++;
      if (head.sequence === state.sequence) this.latencies.add(performance.now() - state.sentMs);
      const verdict = state.host.obey(head, this.#nowUs(), () =>
        parseContract(planSchema, data, `plan of ${id}`),
      );
      if (verdict === "followed") this.counts.plansFollowed++;
      if (verdict === "older" || verdict === "expired") this.counts.plansRefused++;
      else this.#report(state.host);
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  #report(host: SimHost, fired?: "expired"): void {
    if (this.#options.reports === false) return;
    this.#options.bus
      .publish("applied", host.id, host.applied(this.#nowUs(), fired))
      .catch((error: unknown) => this.#failed(error as Error));
  }

  #failed(error: Error): void {
    this.counts.errors++;
    this.#lastError = error;
  }
}
