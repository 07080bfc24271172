/**
 * The loop over samples: in order per host, one in flight a host, hosts side by side. A sample is acknowledged when its
 * decision is in the store and its plan is published; while one of the two is away it waits here, and those behind it.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { ContractVersionError } from "@kvm-governor/policy";
import { processSpan, TRACING_OFF } from "@kvm-governor/service-kit";
import type { BusMessage, Logger, Span, Tracing } from "@kvm-governor/service-kit";
import { HostLane } from "./host-lane.ts";
import type { QueuedSample } from "./host-lane.ts";
import { DuplicateHostError } from "./identity.ts";
import type { ClassifierMetrics } from "./metrics.ts";
import { MessageRefusedError, readSample } from "./refusal.ts";
import type { Refusals } from "./refusal.ts";
import { LaterStateError, StoreUnavailableError } from "./store/store.ts";
import { PlansUnavailableError } from "./published-plans.ts";
import type { Ticker } from "./ticker.ts";

const RETRY_MS_MIN = 100;
const RETRY_MS_MAX = 1000;
/**
 * Samples that wait here or are in work; more are not taken from the bus. Bounds what lies in memory while something is away: a
 * sample of 50 guests takes some 100 KB here.
 */
export const IN_HAND_MAX = 512;
/**
 * Of those, samples that nothing holds up; the next ones wait as bytes. Enough that the store always has work. What belongs to a
 * tick takes some 250 KB until its plan is published, and with hundreds of them it outlives the young generation: a
 * tick then costs a third more.
 */
export const AT_WORK_MAX = 32;

export interface SampleLoopOptions {
  ticker: Pick<Ticker, "tick">;
  refusals: Refusals;
  metrics: ClassifierMetrics;
  log: Logger;
  planTtlMs: () => number;
  signal: AbortSignal;
  /** A sample came from another machine with the id of a host; it is refused. */
  onDuplicateHost: (error: DuplicateHostError) => void;
  /** Monotonic clock, milliseconds. */
  now: () => number;
  /** By default off. */
  tracing?: Tracing;
}

export class SampleLoop {
  readonly #options: SampleLoopOptions;
  readonly #lanes = new Map<string, HostLane>();
  #whenIdle: (() => void) | undefined;
  #inHand = 0;
  /** Their samples wait for a store, or the part of one, that is away; those of other hosts must not. */
  readonly #heldUp = new Set<HostLane>();
  readonly #whenRoom: (() => void)[] = [];

  constructor(options: SampleLoopOptions) {
    this.#options = options;
  }

  /**
   * Takes a message of the stream of samples. Ends in exactly one of ack, nak and term.
   * @returns where there is no room for more: until there is
   */
  offer(message: BusMessage): void | Promise<void> {
    const { refusals, signal, now } = this.#options;
    if (signal.aborted) {
      message.nak(0);
      return;
    }
    try {
      const sample = readSample(message);
      if (this.#lane(sample.host).offer({ sample, message, arrivedMs: now() })) this.#inHand++;
    } catch (error) {
      if (!(error instanceof MessageRefusedError)) throw error;
      this.#traced(message, (span) => refusals.refuse("sample", message, error, span));
    }
    if (this.#room() > 0 || signal.aborted) return;
    return new Promise((resolve) => this.#whenRoom.push(resolve));
  }

  /** After the signal: gives back what waits, and resolves when what is in work has ended. */
  async stopped(): Promise<void> {
    for (const lane of this.#lanes.values()) for (const { message } of lane.clear()) message.nak(0);
    for (const resolve of this.#whenRoom.splice(0)) resolve();
    if (this.#lanes.size === 0) return;
    await new Promise<void>((resolve) => (this.#whenIdle = resolve));
  }

  #lane(host: string): HostLane {
    let lane = this.#lanes.get(host);
    if (lane === undefined) {
      lane = new HostLane({
        work: async (queued, own) => {
          await this.#work(queued, own);
          this.#heldUp.delete(own);
          this.#done();
        },
        expired: (queued) => {
          this.#expire(queued);
          this.#done();
        },
        planTtlMs: this.#options.planTtlMs,
        idle: () => this.#drop(host),
      });
      this.#lanes.set(host, lane);
    }
    return lane;
  }

  #drop(host: string): void {
    this.#lanes.delete(host);
    if (this.#lanes.size === 0) this.#whenIdle?.();
  }

  #done(): void {
    this.#inHand--;
    this.#makeRoom();
  }

  /** How many more samples may be taken. */
  #room(): number {
    let heldUp = 0;
    for (const lane of this.#heldUp) heldUp += lane.size;
    return Math.min(IN_HAND_MAX - this.#inHand, AT_WORK_MAX - (this.#inHand - heldUp));
  }

  /**
   * Lets those go on who wait for room, as many as there is room for. Not one for each sample that ends: more may wait than are at work, one for
   * each partition, and the last would wait for somebody else's next sample.
   */
  #makeRoom(): void {
    for (const resolve of this.#whenRoom.splice(0, Math.max(0, this.#room()))) resolve();
  }

  #holdUp(lane: HostLane): void {
    this.#heldUp.add(lane);
    // Perhaps nothing of what is at work ends before long: then nobody else would make room.
    this.#makeRoom();
  }

  #traced<T>({ host, traceparent }: BusMessage, work: (span: Span) => T): T {
    const { tracing = TRACING_OFF } = this.#options;
    return tracing.span(processSpan("sample", host, traceparent), work);
  }

  #work(queued: QueuedSample, lane: HostLane): Promise<void> {
    return this.#traced(queued.message, (span) => {
      const { sample, message, arrivedMs } = queued;
      span.set({
        "kvmgov.sequence": sample.sequence,
        "kvmgov.guests": sample.guests.length,
        "kvmgov.redelivered": message.redelivered,
        "kvmgov.waited_ms": this.#options.now() - arrivedMs,
      });
      return this.#workOff(queued, lane, span);
    });
  }

  async #workOff(queued: QueuedSample, lane: HostLane, span: Span): Promise<void> {
    const { ticker, metrics, signal } = this.#options;
    for (let attempt = 0; ; attempt++) {
      try {
        const outcome = await ticker.tick(queued.sample, queued.message.storedAtMs);
        span.set({ "kvmgov.outcome": outcome });
        metrics.decisions.inc({ outcome });
        metrics.tickSeconds.observe((this.#options.now() - queued.arrivedMs) / 1000);
        queued.message.ack();
        return;
      } catch (error) {
        if (!this.#mayTryAgain(error, { queued, attempt, span })) return;
      }
      this.#holdUp(lane);
      if (lane.isExpired(queued)) return this.#expired(queued, span);
      if (signal.aborted) {
        span.set({ "kvmgov.outcome": "given-back" });
        return queued.message.nak(0);
      }
      await sleep(Math.min(RETRY_MS_MIN * 2 ** attempt, RETRY_MS_MAX), undefined, { signal }).catch(
        () => undefined,
      );
    }
  }

  /** Whether the error is one that goes away. With any other, most of them defects, the sample is given up, and the loop goes on. */
  #mayTryAgain(
    error: unknown,
    { queued, attempt, span }: { queued: QueuedSample; attempt: number; span: Span },
  ): boolean {
    const { sample, message } = queued;
    const { log, metrics, refusals } = this.#options;
    if (error instanceof StoreUnavailableError || error instanceof PlansUnavailableError) {
      const waitingFor = error instanceof StoreUnavailableError ? "redis" : "nats";
      metrics.retries.inc({ waiting_for: waitingFor });
      if (attempt === 0) span.event("retry", { "kvmgov.waiting_for": waitingFor });
      if (attempt === 0) log.debug({ host: sample.host, waitingFor, err: error }, error.message);
      return true;
    }
    if (error instanceof DuplicateHostError) {
      this.#options.onDuplicateHost(error);
      const refusal = new MessageRefusedError("duplicate-host", error.message, { cause: error });
      refusals.refuse("sample", message, refusal, span);
      return false;
    }
    const cause = error as Error;
    const isLater = cause instanceof LaterStateError || cause instanceof ContractVersionError;
    const reason = isLater ? "newer-version" : "failed";
    refusals.refuse("sample", message, new MessageRefusedError(reason, cause.message, { cause }), span);
    return false;
  }

  #expire(queued: QueuedSample): void {
    this.#traced(queued.message, (span) => {
      span.set({ "kvmgov.sequence": queued.sample.sequence });
      this.#expired(queued, span);
    });
  }

  #expired({ message }: QueuedSample, span: Span): void {
    span.set({ "kvmgov.outcome": "expired" });
    this.#options.metrics.decisions.inc({ outcome: "expired" });
    message.ack();
  }
}
