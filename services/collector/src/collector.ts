/** One tick of a host: discover, read, hand over. */
import type { Sample } from "@kvm-governor/policy";
import type { HostReading, GuestReading } from "@kvm-governor/linux";
import { TRACING_OFF } from "@kvm-governor/service-kit";
import type { Logger, Readiness, Span, Tracing } from "@kvm-governor/service-kit";
import type { Declarations } from "./declarations.ts";
import { GuestEvents } from "./guest-events.ts";
import type { HostAnnouncer } from "./host-announcer.ts";
import type { Measuring } from "./measuring.ts";
import type { OwnMetrics } from "./metrics/own-metrics.ts";
import type { PageUrls } from "./page-urls.ts";
import type { SamplePublisher } from "./sample-publisher.ts";

/**
 * After each tick it is looked which switches were voluntary, for so long: all of about 30 vCPUs, of more in turns. The
 * sample is on its way by then.
 */
const SPLIT_MS_MAX = 0.25;
/** A look for guests between two ticks may fall on the very moment of a tick, just before it: it is not made twice. */
const SAME_MOMENT_MS = 20;

export interface CollectorOptions {
  measuring: Measuring;
  declarations: Declarations;
  publisher: Pick<SamplePublisher, "offer">;
  announcer: Pick<HostAnnouncer, "tick">;
  pageUrls: Pick<PageUrls, "isChanged">;
  metrics: OwnMetrics;
  readiness: Readiness;
  log: Logger;
  nowMs: () => number;
  /** By default off. */
  tracing?: Tracing;
}

export class Collector {
  readonly #options: CollectorOptions;
  readonly #events: GuestEvents;
  #host: HostReading | undefined;
  #sample: Sample | undefined;
  #problems = new Set<string>();
  #saidDescriptors = false;
  #discoveredAtMs = -Infinity;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#events = new GuestEvents(options.log);
    options.readiness.set("sampling", false, "waiting for the first sample");
  }

  /** Of the last tick. */
  get host(): HostReading | undefined {
    return this.#host;
  }

  /** Of the last tick that gave one. */
  get sample(): Sample | undefined {
    return this.#sample;
  }

  /** Looks for guests unless that was done within the last `ms`. */
  discoverUnless(ms: number): void {
    if (this.#options.nowMs() - this.#discoveredAtMs >= ms) this.#discover();
  }

  /** Looks for guests that came or went. */
  #discover(): void {
    const { measuring, declarations, metrics } = this.#options;
    this.#discoveredAtMs = this.#options.nowMs();
    const changes = measuring.sources.measure("discovery", () => measuring.watcher.refresh());
    if (changes !== undefined) this.#events.changes(changes, (guest) => declarations.of(guest));
    const problems = measuring.watcher.problems;
    metrics.discoveryProblems.set(problems.length);
    this.#sayOnce(problems);
  }

  /** The first span of each tick's trace. */
  tick(lateMs: number): void {
    const { tracing = TRACING_OFF } = this.#options;
    tracing.span({ name: "tick", root: true, attributes: { "kvmgov.late_ms": lateMs } }, (span) =>
      this.#tick(lateMs, span),
    );
  }

  #tick(lateMs: number, span: Span): void {
    const {
      measuring,
      publisher,
      announcer,
      pageUrls,
      metrics,
      nowMs,
      tracing = TRACING_OFF,
    } = this.#options;
    const fromMs = nowMs();
    const { host, sample } = tracing.span({ name: "read" }, () => this.#read());
    this.#host = host;
    measuring.memory.tick(measuring.watcher.inventory.guests);
    span.set({
      "kvmgov.host": sample?.host,
      "kvmgov.sequence": sample?.sequence,
      "kvmgov.guests": measuring.guests.last.readable.length,
      "kvmgov.guests.unreadable": measuring.guests.last.unreadable.length,
    });
    if (sample !== undefined) publisher.offer((this.#sample = sample));
    announcer.tick(host.isTopologyChanged || pageUrls.isChanged());
    measuring.guests.readSwitchSplit(SPLIT_MS_MAX);
    this.#report(measuring.guests.last, host);
    this.#sayDescriptors();
    metrics.ticks.inc();
    metrics.tickLateSeconds.set(lateMs / 1000);
    metrics.tickSeconds.observe((nowMs() - fromMs) / 1000);
  }

  #read(): ReturnType<Measuring["sampler"]["tick"]> {
    const { measuring, declarations } = this.#options;
    this.discoverUnless(SAME_MOMENT_MS);
    return measuring.sampler.tick(measuring.watcher.inventory, (guest) => declarations.of(guest));
  }

  #report({ readable, unreadable }: GuestReading, host: HostReading): void {
    const { metrics, readiness, measuring } = this.#options;
    this.#events.unreadable(unreadable);
    metrics.guests.set(readable.length);
    metrics.unreadableGuests.set(unreadable.length);
    if (host.used !== undefined) readiness.set("sampling", true);
    else if (this.#sample !== undefined) {
      const error = measuring.sources.states.get("stat")?.error;
      readiness.set("sampling", false, error?.message ?? "the host's CPU times could not be read");
    }
  }

  #sayDescriptors(): void {
    const { budget } = this.#options.measuring.context;
    if (this.#saidDescriptors || budget.refused === 0) return;
    this.#saidDescriptors = true;
    this.#options.log.warn(
      { event: "descriptors-short", kept: budget.used, max: budget.limit },
      `only ${budget.limit} files may stay open: further counters are read the slow way, without perf (raise LimitNOFILE)`,
    );
  }

  #sayOnce(problems: readonly string[]): void {
    for (const problem of problems) {
      if (!this.#problems.has(problem))
        this.#options.log.warn({ event: "discovery-problem", problem }, problem);
    }
    this.#problems = new Set(problems);
  }
}
