/** The bus of the contracts over NATS: publishing, consuming in order, plans. */
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { Consumer, ConsumerMessages, JetStreamClient, JsMsg } from "@nats-io/jetstream";
import type { JetStreamPublishOptions } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { hostOfSubject, streams, subjects, TRACEPARENT_HEADER } from "@kvm-governor/policy";
import type { Registry } from "prom-client";
import { publishSpan } from "../tracing/messaging.ts";
import { NO_SPAN, TRACING_OFF } from "../tracing/tracing.ts";
import type { Span, Tracing } from "../tracing/tracing.ts";
import { BusConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";
import { createBusMetrics } from "./metrics.ts";
import type { BusMetrics } from "./metrics.ts";
import { consumerConfig } from "./places.ts";
import type { Place } from "./places.ts";
import { Plans } from "./plans.ts";
import { pullOptions } from "./pull.ts";
import { Questions } from "./questions.ts";
import type { QuestionsOptions } from "./questions.ts";
import { SetAside } from "./set-aside.ts";
import { SharedWork } from "./shared-work.ts";
import type { SharedKind, SharedWorkOptions } from "./shared-work.ts";
import { streamSettingsSchema } from "./stream-settings.ts";
import type { StreamSettings } from "./stream-settings.ts";
import { ensureStreams } from "./streams.ts";
import type { MessageKind } from "./streams.ts";

export interface BusOptions extends ConnectionOptions {
  registry: Registry;
  /** Makes streams and buckets at each (re)connect. For the classifier; hosts have no right to. */
  manage?: boolean;
  /** Limits of what is managed; absent: the defaults. */
  streams?: StreamSettings;
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
  /** When the stream took it, by the clock of NATS, in milliseconds. */
  storedAtMs: number;
  redelivered: boolean;
  /** W3C traceparent as its sender put it, unchecked; undefined where there is none. */
  traceparent?: string | undefined;
  ack(): void;
  /** Again after `delayMs`. */
  nak(delayMs: number): void;
  /** Never again: it cannot be worked off. */
  term(reason: string): void;
}

const RETRY_MS = 500;
const PUBLISH_TIMEOUT_MS = 2000;
const BACKLOG_EVERY_MS = 10_000;
const PREFETCH = 256;
const NANOS_A_MS = 1_000_000n;

/**
 * Takes one message. Must not throw. The next one is handed over at once, or when the promise that it returns is
 * resolved: so a receiver that is full is not filled further.
 */
export type MessageHandler = (message: BusMessage) => void | Promise<void>;

export interface ShareOptions extends Pick<
  SharedWorkOptions,
  "self" | "silenceMs" | "checkPeriodMs" | "released"
> {
  handlers: Record<SharedKind, MessageHandler>;
}

export class Bus {
  readonly plans: Plans;
  readonly #connection: BusConnection;
  readonly #options: BusOptions;
  readonly #metrics: BusMetrics;
  readonly #streams: StreamSettings;
  readonly #aside: SetAside;
  #client: { connection: NatsConnection; client: JetStreamClient } | undefined;
  readonly #tracing: Tracing;
  #managed: Promise<void> = Promise.resolve();

  constructor(options: BusOptions) {
    this.#options = options;
    this.#connection = new BusConnection(options);
    this.#tracing = options.tracing ?? TRACING_OFF;
    this.plans = new Plans(this.#connection, this.#tracing);
    const connection = this.#connection;
    const metrics = createBusMetrics(options.registry, {
      isUp: () => connection.up,
      isClassifier: options.manage === true,
    });
    this.#metrics = metrics;
    this.#streams = options.streams ?? streamSettingsSchema.parse({});
    this.#aside = new SetAside({ connection, metrics, log: options.log, now: () => performance.now() });
    if (options.manage === true) {
      // Once they are there nobody waits: what a server lost is noticed by whoever needs it, and tried again until it is made.
      let isFirst = true;
      this.#connection.onUp(() => {
        const managed = this.#manage().then((isDone) => {
          if (isDone) isFirst = false;
        });
        if (isFirst) this.#managed = managed;
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
      this.#connection.failed(error);
      throw error;
    }
  }

  async #send(kind: MessageKind, host: string, data: string, span: Span): Promise<void> {
    await this.#publisher().publish(subjects[kind](host), data, withTrace(span));
    this.#connection.answered();
  }

  /**
   * Hands over the messages of a kind, in the order of the stream, across reconnects, until the signal is aborted.
   * From a place of one's own, messages may come again after a reconnect.
   */
  async consume(
    kind: MessageKind,
    place: Place,
    signal: AbortSignal,
    handler: MessageHandler,
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

  /**
   * Hands over samples and applied reports of the hosts that fall to this process, those of one host in the order of the
   * stream, while others who call this on the same bus take the rest. What was handed over and not acknowledged
   * when a process ends comes again elsewhere.
   */
  share({ handlers, ...rest }: ShareOptions): SharedWork {
    const { sampleAgeMs, appliedAgeMs } = this.#streams;
    return new SharedWork({
      ...rest,
      handlers: {
        sample: (message) => handlers.sample(asBusMessage(message)),
        applied: (message) => handlers.applied(asBusMessage(message)),
      },
      connection: this.#connection,
      managed: () => this.#managed,
      log: this.#options.log,
      metrics: this.#metrics,
      keptMs: { sample: sampleAgeMs, applied: appliedAgeMs },
      now: () => performance.now(),
    });
  }

  /** Asks the other members of a group, and hears what they ask, from the next connect on. */
  questions(options: Omit<QuestionsOptions, "connection">): Questions {
    return new Questions({ ...options, connection: this.#connection });
  }

  /** Keeps a refused message for people to look at, within bounds; in the background. */
  setAside(kind: MessageKind, message: BusMessage, reason: string, text: string): void {
    this.#aside.keep(kind, message, reason, text);
  }

  async close(): Promise<void> {
    await this.#connection.close();
  }

  /** Made once a connection: a fleet publishes thousands a second. */
  #publisher(): JetStreamClient {
    const connection = this.#connection.current();
    if (this.#client?.connection !== connection)
      this.#client = { connection, client: jetstream(connection, { timeout: PUBLISH_TIMEOUT_MS }) };
    return this.#client.client;
  }

  async #consumeOnce(
    kind: MessageKind,
    place: Place,
    signal: AbortSignal,
    handler: MessageHandler,
  ): Promise<void> {
    const connection = this.#connection.current();
    const stream = streams[kind];
    const manager = await jetstreamManager(connection);
    const { name } = await manager.consumers.add(stream, consumerConfig(kind, place));
    const consumer = await jetstream(connection).consumers.get(stream, name);
    const messages: ConsumerMessages = await consumer.consume(pullOptions(kind, PREFETCH));
    const stop = (): void => messages.stop();
    const counting = setInterval(() => void this.#countBacklog(kind, consumer), BACKLOG_EVERY_MS);
    signal.addEventListener("abort", stop, { once: true });
    // Told to stop while the consumer was being made: no event comes any more.
    if (signal.aborted) stop();
    void endIfSilent(messages);
    try {
      for await (const message of messages) await handler(asBusMessage(message));
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

  /** @returns whether it is done; else there is no connection any more */
  async #manage(): Promise<boolean> {
    for (;;) {
      try {
        const changed = await ensureStreams(this.#connection.current(), this.#streams);
        if (changed.length > 0)
          this.#options.log.info(
            { event: "streams-changed", streams: changed },
            `made or changed: ${changed.join(", ")}`,
          );
        this.#options.readiness.set("streams", true);
        return true;
      } catch (error) {
        this.#options.readiness.set("streams", false, (error as Error).message);
        if (!this.#connection.up) return false;
        this.#options.log.warn(
          { event: "streams-failed", err: error },
          "streams could not be made, trying again",
        );
        await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
      }
    }
  }
}

/** The server of the consumer may be gone, and the client asks it again for ever: whoever consumes begins anew. */
async function endIfSilent(messages: ConsumerMessages): Promise<void> {
  for await (const { type } of messages.status()) if (type === "heartbeats_missed") messages.stop();
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
    storedAtMs: Number(message.timestampNanos / NANOS_A_MS),
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
