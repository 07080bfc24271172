/** The bus of the contracts over NATS: publishing, consuming in order, plans. */
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { ConsumerConfig, ConsumerMessages, JsMsg } from "@nats-io/jetstream";
import { hostOfSubject, streams, subjects } from "@kvm-governor/policy";
import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";
import { BusConnection } from "./connection.ts";
import type { ConnectionOptions } from "./connection.ts";
import { Plans } from "./plans.ts";
import { ensureStreams } from "./streams.ts";
import type { MessageKind } from "./streams.ts";

export interface BusOptions extends ConnectionOptions {
  registry: Registry;
  /** Makes streams and buckets at each (re)connect. For the classifier; hosts have no right to. */
  manage?: boolean;
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
  ack(): void;
  /** Again after `delayMs`. */
  nak(delayMs: number): void;
  /** Never again: it cannot be worked off. */
  term(reason: string): void;
}

const ACK_WAIT_MS = 10_000;
/** The server forgets a consumer without a name that nobody reads from for this long. */
const UNUSED_CONSUMER_MS = 60_000;
const RETRY_MS = 500;
const PUBLISH_TIMEOUT_MS = 2000;

export class Bus {
  readonly plans: Plans;
  readonly #connection: BusConnection;
  readonly #options: BusOptions;
  readonly #failures: Counter<"kind">;
  #managed: Promise<void> = Promise.resolve();

  constructor(options: BusOptions) {
    this.#options = options;
    this.#connection = new BusConnection(options);
    this.plans = new Plans(this.#connection);
    const registers = [options.registry];
    this.#failures = new Counter({
      name: "kvmgov_bus_publish_failures_total",
      help: "Messages that could not be published, by kind",
      labelNames: ["kind"],
      registers,
    });
    const connection = this.#connection;
    new Gauge({
      name: "kvmgov_bus_connected",
      help: "1 while connected to NATS",
      registers,
      collect() {
        this.set(connection.up ? 1 : 0);
      },
    });
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
      const client = jetstream(this.#connection.current(), { timeout: PUBLISH_TIMEOUT_MS });
      await client.publish(subjects[kind](host), JSON.stringify(value));
    } catch (error) {
      this.#failures.inc({ kind });
      throw error;
    }
  }

  /**
   * Hands over the messages of a kind, in the order of the stream, across reconnects, until the signal is aborted.
   * `durable` names the place that is kept on the server: those who share it share the messages. Without it the
   * caller gets all the messages that the stream keeps, again after each reconnect, and they need no ack.
   * The handler must not throw; it is not waited for.
   */
  async consume(
    kind: MessageKind,
    durable: string | undefined,
    signal: AbortSignal,
    handler: (message: BusMessage) => void,
  ): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#connection.connected();
        await this.#managed;
        await this.#consumeOnce(kind, durable, signal, handler);
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
    durable: string | undefined,
    signal: AbortSignal,
    handler: (message: BusMessage) => void,
  ): Promise<void> {
    const connection = this.#connection.current();
    const stream = streams[kind];
    const manager = await jetstreamManager(connection);
    const { name } = await manager.consumers.add(stream, consumerConfig(durable));
    const consumer = await jetstream(connection).consumers.get(stream, name);
    const messages: ConsumerMessages = await consumer.consume({
      max_messages: 256,
      abort_on_missing_resource: true,
    });
    const stop = (): void => messages.stop();
    signal.addEventListener("abort", stop, { once: true });
    // Told to stop while the consumer was being made: no event comes any more.
    if (signal.aborted) stop();
    try {
      for await (const message of messages) handler(asBusMessage(message));
    } finally {
      signal.removeEventListener("abort", stop);
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

function consumerConfig(durable: string | undefined): Partial<ConsumerConfig> {
  if (durable === undefined) {
    return {
      ack_policy: AckPolicy.None,
      deliver_policy: DeliverPolicy.All,
      inactive_threshold: UNUSED_CONSUMER_MS * 1_000_000,
      mem_storage: true,
    };
  }
  return {
    durable_name: durable,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: ACK_WAIT_MS * 1_000_000,
    max_ack_pending: 4096,
  };
}

function asBusMessage(message: JsMsg): BusMessage {
  return {
    subject: message.subject,
    host: hostOfSubject(message.subject) ?? "",
    data: message.data,
    streamSequence: message.seq,
    redelivered: message.redelivered,
    ack: () => message.ack(),
    nak: (delayMs) => message.nak(delayMs),
    term: (reason) => message.term(reason),
  };
}

/** Connects in the background: returns at once, and keeps trying for ever. */
export function connectBus(options: BusOptions): Bus {
  return new Bus(options);
}
