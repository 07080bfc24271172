/** The bus of the contracts over NATS: publishing, consuming in order, plans. */
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { Consumer, ConsumerConfig, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import type { JetStreamPublishOptions } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { hostOfSubject, streams, subjects, TRACEPARENT_HEADER } from "@kvm-governor/policy";
import type { Registry } from "prom-client";
import { publishSpan } from "../tracing/messaging.ts";
import { NO_SPAN, TRACING_OFF } from "../tracing/tracing.ts";
import type { Span, Tracing } from "../tracing/tracing.ts";
import { BusConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";
import { createBusMetrics } from "./metrics.ts";
import type { BusMetrics } from "./metrics.ts";
import { Plans } from "./plans.ts";
import { ensureStreams } from "./streams.ts";
import type { MessageKind } from "./streams.ts";

export interface BusOptions extends ConnectionOptions {
  registry: Registry;
  /** Makes streams and buckets at each (re)connect. For the classifier; hosts have no right to. */
  manage?: boolean;
  /** Of messages that belong to a tick; by default none. */
  tracing?: Tracing;
}

/** One message of a stream. Exactly one of ack, nak and term is called for each. */
export interface BusMessage {
  subject: string;
  /** Host of the subject. */
  host: string;
  data: Uint8Array;
  /** Sequence in the stream. */
  streamSequence: number;
  redelivered: boolean;
  /** W3C traceparent as its sender put it, unchecked; undefined where there is none. */
  traceparent?: string | undefined;
  ack(): void;
  /** Again after `delayMs`. */
  nak(delayMs: number): void;
  /** Never again: it cannot be worked off. */
  term(reason: string): void;
}

const ACK_WAIT_MS = 10_000;
const RETRY_MS = 500;
const PUBLISH_TIMEOUT_MS = 2000;
const NANOS = 1_000_000;
const BACKLOG_EVERY_MS = 10_000;
/** How long the server keeps the place of somebody who reads alone and is away. */
const ALONE_KEPT_MS = 60_000;

/** A place of one's own, that begins with the last message of each host: whoever starts knows all hosts at once. */
export const LAST_OF_EACH_HOST = { deliver: "last of each host" } as const;
/** A name: the place is kept on the server, and those who share it share the messages. */
export type Place = string | typeof LAST_OF_EACH_HOST;

export class Bus {
  readonly plans: Plans;
  readonly #connection: BusConnection;
  readonly #options: BusOptions;
  readonly #metrics: BusMetrics;
  readonly #tracing: Tracing;
  #managed: Promise<void> = Promise.resolve();

  constructor(options: BusOptions) {
    this.#options = options;
    this.#connection = new BusConnection(options);
    this.#tracing = options.tracing ?? TRACING_OFF;
    this.plans = new Plans(this.#connection, this.#tracing);
    const connection = this.#connection;
    this.#metrics = createBusMetrics(options.registry, () => connection.up);
    if (options.manage === true) {
      this.#connection.onUp(() => {
        this.#managed = this.#manage();
      });
    }
  }

  get up(): boolean {
    return this.#connection.up;
  }

  /** Calls back after each connect and reconnect. Returns the way to stop it. */
  onUp(listener: () => void): () => void {
    return this.#connection.onUp(listener);
  }

  /**
   * Publishes and waits until the stream has it.
   * @throws {BusAwayError} NATS is away; {Error} no such stream yet, or no answer in time
   */
  async publish(kind: MessageKind, host: string, value: unknown): Promise<void> {
    try {
      const data = JSON.stringify(value);
      if (kind === "host") return await this.#send(kind, host, data, NO_SPAN);
      const spec = publishSpan(kind, host, this.#connection.server);
      await this.#tracing.span(spec, (span) => this.#send(kind, host, data, span));
    } catch (error) {
      this.#metrics.failures.inc({ kind });
      throw error;
    }
  }

  async #send(kind: MessageKind, host: string, data: string, span: Span): Promise<void> {
    const client = jetstream(this.#connection.current(), { timeout: PUBLISH_TIMEOUT_MS });
    await client.publish(subjects[kind](host), data, withTrace(span));
  }

  /**
   * Hands over the messages of a kind, in the order of the stream, across reconnects, until the signal is aborted.
   * From a place of one's own, messages may come again after a reconnect.
   * The handler must not throw; it is not waited for.
   */
  async consume(
    kind: MessageKind,
    place: Place,
    signal: AbortSignal,
    handler: (message: BusMessage) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#connection.connected();
        await this.#managed;
        await this.#consumeOnce(kind, place, signal, handler);
      } catch (error) {
        if (signal.aborted || this.#connection.closed) return;
        this.#options.log.warn(
          { event: "consumer-failed", kind, err: error },
          `consuming ${kind}s failed, trying again`,
        );
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  async #consumeOnce(
    kind: MessageKind,
    place: Place,
    signal: AbortSignal,
    handler: (message: BusMessage) => void,
  ): Promise<void> {
    const connection = this.#connection.current();
    const stream = streams[kind];
    const manager = await jetstreamManager(connection);
    const { name } = await manager.consumers.add(stream, consumerConfig(kind, place));
    const consumer = await jetstream(connection).consumers.get(stream, name);
    const messages: ConsumerMessages = await consumer.consume({
      max_messages: 256,
      abort_on_missing_resource: true,
    });
    const stop = (): void => messages.stop();
    const counting = setInterval(() => void this.#countBacklog(kind, consumer), BACKLOG_EVERY_MS);
    signal.addEventListener("abort", stop, { once: true });
    // Told to stop while the consumer was being made: no event comes any more.
    if (signal.aborted) stop();
    try {
      for await (const message of messages) handler(asBusMessage(message));
    } finally {
      clearInterval(counting);
      signal.removeEventListener("abort", stop);
    }
  }

  async #countBacklog(kind: MessageKind, consumer: Consumer): Promise<void> {
    try {
      const { num_pending, num_ack_pending } = await consumer.info();
      this.#metrics.backlog.set({ kind }, num_pending + num_ack_pending);
    } catch (error) {
      // Nobody knows now; whoever consumes says why.
      this.#metrics.backlog.remove({ kind });
      this.#options.log.debug({ event: "backlog-unknown", kind, err: error }, "backlog is not known");
    }
  }

  async #manage(): Promise<void> {
    for (;;) {
      try {
        await ensureStreams(this.#connection.current());
        this.#options.readiness.set("streams", true);
        return;
      } catch (error) {
        this.#options.readiness.set("streams", false, (error as Error).message);
        if (!this.#connection.up) return;
        this.#options.log.warn(
          { event: "streams-failed", err: error },
          "streams could not be made, trying again",
        );
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

function consumerConfig(kind: MessageKind, place: Place): Partial<ConsumerConfig> {
  const common = { ack_policy: AckPolicy.Explicit, ack_wait: ACK_WAIT_MS * NANOS, max_ack_pending: 4096 };
  if (typeof place === "string") {
    return { ...common, durable_name: place, deliver_policy: DeliverPolicy.All };
  }
  return {
    ...common,
    deliver_policy: DeliverPolicy.LastPerSubject,
    // The server refuses "last per subject" without one.
    filter_subject: subjects[kind]("*"),
    inactive_threshold: ALONE_KEPT_MS * NANOS,
  };
}

function withTrace({ traceparent }: Span): Partial<JetStreamPublishOptions> {
  if (traceparent === undefined) return {};
  const carrier = headers();
  carrier.set(TRACEPARENT_HEADER, traceparent);
  return { headers: carrier };
}

function asBusMessage(message: JsMsg): BusMessage {
  return {
    subject: message.subject,
    host: hostOfSubject(message.subject) ?? "",
    data: message.data,
    streamSequence: message.seq,
    redelivered: message.redelivered,
    traceparent: message.headers?.get(TRACEPARENT_HEADER) || undefined,
    ack: () => message.ack(),
    nak: (delayMs) => message.nak(delayMs),
    term: (reason) => message.term(reason),
  };
}

/** Connects in the background: returns at once, and keeps trying for ever. */
export function connectBus(options: BusOptions): Bus {
  return new Bus(options);
}
