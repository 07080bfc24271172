/**
 * The partitions of one kind of message that this process works off, each by a consumer of its own on the server. A
 * consumer is made anew by whoever takes a partition over: it begins after what the one before acknowledged, so that what
 * was in the other's hands comes again at once and in order, and the other's is deleted, so that it gets nothing any more.
 */
import { AckPolicy, DeliverPolicy, JetStreamApiError, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type {
  ConsumerConfig,
  ConsumerInfo,
  ConsumerMessages,
  JetStreamManager,
  JsMsg,
} from "@nats-io/jetstream";
import { partitionSubject, streams } from "@kvm-governor/policy";
import type { BusConnection } from "./connection.ts";
import { pullOptions } from "./pull.ts";
import type { MessageKind } from "./streams.ts";

export interface PartitionsOptions {
  kind: Exclude<MessageKind, "host">;
  connection: BusConnection;
  /** Name of this process among those who share the work. */
  self: string;
  /** How long the server keeps the place of one who is away: as long as the stream keeps messages. */
  keptMs: number;
  /** The next message of the partition comes when what this returns is done: so a full receiver is not filled further. */
  handle: (message: JsMsg) => void | Promise<void>;
  /** A partition's messages stopped coming, by this error; it is not held any more. */
  lost: (partition: number, error: Error | undefined) => void;
}

const PREFIX = "classifier";
/** From before partitions: one consumer for all. */
const OLD_SHARED_CONSUMER = "classifier";
const NANOS = 1_000_000;
const ACK_WAIT_MS = 10_000;
/** Handed out and not acknowledged, a partition: the server then waits. */
const UNACKED_MAX = 256;
/** Asked for ahead, a partition: bounds what lies in memory and is not looked at yet. */
const PREFETCH = 16;
const CONSUMER_NOT_FOUND = 10014;

export class Partitions {
  readonly #options: PartitionsOptions;
  readonly #held = new Map<number, { consumer: string; messages: ConsumerMessages }>();
  #claims = 0;

  constructor(options: PartitionsOptions) {
    this.#options = options;
  }

  get held(): number[] {
    return [...this.#held.keys()];
  }

  /** Takes those that are not held yet. @throws {Error} what keeps us from it; some may be held by then */
  async claim(wanted: readonly number[]): Promise<void> {
    const missing = wanted.filter((partition) => !this.#held.has(partition));
    if (missing.length === 0) return;
    const manager = await jetstreamManager(this.#options.connection.current());
    const existing = await listConsumers(manager, streams[this.#options.kind]);
    await Promise.all(missing.map((partition) => this.#claim(manager, partition, existing)));
    const old = existing.find(({ name }) => name === OLD_SHARED_CONSUMER);
    if (old !== undefined && old.num_waiting === 0) await this.#delete(manager, OLD_SHARED_CONSUMER);
  }

  /** Takes no further messages; what is in work may still be acknowledged. The place stays for the next one. */
  release(partitions: Iterable<number>): void {
    for (const partition of partitions) {
      const held = this.#held.get(partition);
      this.#held.delete(partition);
      held?.messages.stop();
    }
  }

  /** Messages that wait for this process, or are in its hands and not worked off. */
  async backlog(): Promise<number> {
    const manager = await jetstreamManager(this.#options.connection.current());
    const own = new Set([...this.#held.values()].map(({ consumer }) => consumer));
    let backlog = 0;
    for (const info of await listConsumers(manager, streams[this.#options.kind])) {
      if (own.has(info.name)) backlog += info.num_pending + info.num_ack_pending;
    }
    return backlog;
  }

  async #claim(
    manager: JetStreamManager,
    partition: number,
    existing: readonly ConsumerInfo[],
  ): Promise<void> {
    const { kind, connection, self } = this.#options;
    const stream = streams[kind];
    const before = existing.filter(({ name }) => name.startsWith(`${PREFIX}-${partition}-`));
    const consumer = `${PREFIX}-${partition}-${self}-${++this.#claims}`;
    await manager.consumers.add(stream, this.#config(partition, consumer, startAfter(before)));
    await Promise.all(before.map(({ name }) => this.#delete(manager, name)));
    const messages = await (
      await jetstream(connection.current()).consumers.get(stream, consumer)
    ).consume(pullOptions(PREFETCH));
    this.#held.set(partition, { consumer, messages });
    void this.#work(partition, messages);
  }

  #config(partition: number, name: string, start: number | undefined): Partial<ConsumerConfig> {
    const { kind, keptMs } = this.#options;
    return {
      // Durable: in a cluster it has the stream's replicas.
      durable_name: name,
      filter_subject: partitionSubject(kind, partition),
      ack_policy: AckPolicy.Explicit,
      ack_wait: ACK_WAIT_MS * NANOS,
      max_ack_pending: UNACKED_MAX,
      inactive_threshold: keptMs * NANOS,
      ...(start === undefined
        ? { deliver_policy: DeliverPolicy.All }
        : { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: start }),
    };
  }

  async #work(partition: number, messages: ConsumerMessages): Promise<void> {
    let cause: Error | undefined;
    try {
      for await (const message of messages) {
        const done = this.#options.handle(message);
        if (done !== undefined) await done;
      }
    } catch (error) {
      cause = error as Error;
    }
    // Given back or claimed anew meanwhile: then this end was meant.
    if (this.#held.get(partition)?.messages !== messages) return;
    this.#held.delete(partition);
    this.#options.lost(partition, cause);
  }

  async #delete(manager: JetStreamManager, name: string): Promise<void> {
    try {
      await manager.consumers.delete(streams[this.#options.kind], name);
    } catch (error) {
      // Somebody else took over as well, or the server did it by itself.
      if (!(error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND)) throw error;
    }
  }
}

async function listConsumers(manager: JetStreamManager, stream: string): Promise<ConsumerInfo[]> {
  const found: ConsumerInfo[] = [];
  for await (const info of manager.consumers.list(stream)) found.push(info);
  return found;
}

/**
 * The first message that nobody acknowledged, as a sequence of the stream. All that consumers acknowledged without a gap
 * is done, whoever did it; what lies above a gap comes again and is recognised.
 */
function startAfter(before: readonly ConsumerInfo[]): number | undefined {
  if (before.length === 0) return undefined;
  return Math.max(
    1,
    ...before.map(({ ack_floor, config }) => Math.max(ack_floor.stream_seq + 1, config.opt_start_seq ?? 1)),
  );
}
