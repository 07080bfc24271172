/** The KV bucket of plans: one key a host, updated by revision. */
import { JetStreamApiError } from "@nats-io/jetstream";
import type { KV } from "@nats-io/kv";
import { publishSpan } from "../tracing/messaging.ts";
import type { Span, Tracing } from "../tracing/tracing.ts";
import type { BusConnection } from "./connection.ts";
import { watchPlans } from "./plan-watch.ts";
import { openPlans } from "./streams.ts";

export interface PlanEntry {
  /** Host that the plan is for. */
  host: string;
  data: Uint8Array;
  revision: number;
}

/** Somebody else wrote the key since the revision that was given: read again, decide again. */
export class PlanConflictError extends Error {
  override readonly name = "PlanConflictError";
}

/** Code of JetStream for "wrong last sequence" (nats-server, errors.json: JSStreamWrongLastSequenceErrF). */
const WRONG_LAST_SEQUENCE = 10071;
const RETRY_MS = 500;
const ALL_HOSTS = ">";

export class Plans {
  readonly #bus: BusConnection;
  readonly #tracing: Tracing;
  #kv: Promise<KV> | undefined;

  constructor(bus: BusConnection, tracing: Tracing) {
    this.#bus = bus;
    this.#tracing = tracing;
    // A server that came back may have lost the bucket: open it anew.
    bus.onUp(() => (this.#kv = undefined));
  }

  /** @throws {BusAwayError} NATS is away; {Error} the bucket does not exist yet, or no answer came */
  async get(host: string): Promise<PlanEntry | undefined> {
    const entry = await this.#asked(async () => (await this.#bucket()).get(host));
    if (entry === null || entry.operation !== "PUT") return undefined;
    return { host, data: entry.value, revision: entry.revision };
  }

  /**
   * Writes a host's plan over the revision that was read; 0 where there was none.
   * @param plan a value, or its JSON as text
   * @returns the new revision
   * @throws {PlanConflictError} the key has another revision by now
   */
  async put(host: string, plan: unknown, revision: number): Promise<number> {
    const kv = await this.#asked(() => this.#bucket());
    const spec = publishSpan("plan", host, this.#bus.server);
    return this.#tracing.span(spec, (span) =>
      this.#asked(() => this.#put(kv, host, { plan, span, revision })),
    );
  }

  /** Tells the connection whether somebody answered. */
  async #asked<T>(question: () => Promise<T>): Promise<T> {
    try {
      const answer = await question();
      this.#bus.answered();
      return answer;
    } catch (error) {
      this.#bus.failed(error);
      throw error;
    }
  }

  /** The client's put() takes no headers and its watch() shows none: the trace goes along in the plan. */
  async #put(
    kv: KV,
    host: string,
    { plan, span: { traceparent }, revision }: { plan: unknown; span: Span; revision: number },
  ): Promise<number> {
    const data = traceparent === undefined ? asText(plan) : asText({ ...asObject(plan), traceparent });
    try {
      return revision === 0 ? await kv.create(host, data) : await kv.update(host, data, revision);
    } catch (cause) {
      if (cause instanceof JetStreamApiError && cause.code === WRONG_LAST_SEQUENCE) {
        throw new PlanConflictError(`plan of ${host}: revision ${revision} is not the last one`, { cause });
      }
      throw cause;
    }
  }

  /**
   * Calls back with the present plan and each later one, across reconnects, until the signal is aborted. After a
   * reconnect the present plan comes again. `away` hears of each failed attempt.
   */
  async watch(
    host: string,
    signal: AbortSignal,
    onPlan: (entry: PlanEntry) => void,
    away: (error: Error) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#bus.connected();
        await this.#watchOnce(host, signal, onPlan);
      } catch (error) {
        if (signal.aborted || this.#bus.closed) return;
        this.#bus.failed(error);
        away(error as Error);
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  /** As {@link watch}, the plans of all hosts. */
  watchAll(
    signal: AbortSignal,
    onPlan: (entry: PlanEntry) => void,
    away: (error: Error) => void,
  ): Promise<void> {
    return this.watch(ALL_HOSTS, signal, onPlan, away);
  }

  /** Ends at a reconnect, so that the watch is made anew: the server's side of it may be lost. */
  async #watchOnce(host: string, signal: AbortSignal, onPlan: (entry: PlanEntry) => void): Promise<void> {
    const watch = await watchPlans(this.#bus.current(), host, this.#bus.inboxPrefix);
    const stop = (): void => watch.stop();
    let first = this.#bus.up;
    const unlisten = this.#bus.onUp(() => {
      if (first) first = false;
      else stop();
    });
    signal.addEventListener("abort", stop, { once: true });
    // Told to stop while the watch was being made: no event comes any more.
    if (signal.aborted) stop();
    try {
      await watch.run(({ key, value, revision }) => onPlan({ host: key, data: value, revision }));
    } finally {
      unlisten();
      signal.removeEventListener("abort", stop);
    }
  }

  #bucket(): Promise<KV> {
    if (this.#kv === undefined) {
      const opening = Promise.resolve()
        .then(() => this.#bus.current())
        .then(openPlans);
      opening.catch(() => (this.#kv = undefined));
      this.#kv = opening;
    }
    return this.#kv;
  }
}

const asText = (plan: unknown): string => (typeof plan === "string" ? plan : JSON.stringify(plan));
const asObject = (plan: unknown): object => (typeof plan === "string" ? JSON.parse(plan) : plan) as object;
