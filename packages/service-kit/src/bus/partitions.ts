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
import type { NatsConnection } from "@nats-io/transport-node";
import { z } from "zod";
import { partitionSubject, streams } from "@kvm-governor/policy";
import type { Logger } from "../log.ts";
import type { BusConnection } from "./connection.ts";
import { pullOptions } from "./pull.ts";
import { isSilence } from "./silence.ts";
import type { MessageKind } from "./streams.ts";

export interface PartitionsOptions {
  kind: Exclude<MessageKind, "host">;
  connection: BusConnection;
  log: Logger;
  /** Name of this process among those who share the work. */
  self: string;
  /** How long the server keeps the place of one who is away: as long as the stream keeps messages. */
  keptMs: number;
  /** T_check at this time, in milliseconds: how soon a lost request must be noticed. */
  checkPeriodMs: () => number;
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
/** A consumer whose server is gone does not answer; the others do at once. */
const ASKING = { timeout: 1000 } as const;
/** Tried again sooner than by the client's default of 5 s: plans wait for it. */
const MAKING = { timeout: 2000 } as const;

/** The server does not say which consumers there are. */
export class ConsumerNamesError extends Error {
  override readonly name = "ConsumerNamesError";
}

/** A consumer's server gave no sign of life. */
export class SilentConsumerError extends Error {
  override readonly name = "SilentConsumerError";
}

/** A consumer was made that leaves out what nobody has worked off. */
export class SkippingConsumerError extends Error {
  override readonly name = "SkippingConsumerError";
}

export class Partitions {
  readonly #options: PartitionsOptions;
  readonly #held = new Map<number, { consumer: string; messages: ConsumerMessages }>();
  /** Consumers that begin too late, and could not be deleted. */
  readonly #skipping = new Set<string>();
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
    const connection = this.#options.connection.current();
    const manager = await jetstreamManager(connection, MAKING);
    const names = await consumerNames(connection, streams[this.#options.kind]);
    await Promise.all(missing.map((partition) => this.#claim(manager, partition, names)));
    if (!names.includes(OLD_SHARED_CONSUMER)) return;
    const old = await this.#info(OLD_SHARED_CONSUMER);
    if (old?.num_waiting === 0) this.#delete(manager, OLD_SHARED_CONSUMER);
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
    const own = [...this.#held.values()].map(({ consumer }) => this.#info(consumer));
    let backlog = 0;
    for (const info of await Promise.all(own))
      if (info !== undefined) backlog += info.num_pending + info.num_ack_pending;
    return backlog;
  }

  async #claim(manager: JetStreamManager, partition: number, names: readonly string[]): Promise<void> {
    const { kind, connection, self, checkPeriodMs } = this.#options;
    const stream = streams[kind];
    const isOne = (name: string): boolean =>
      name.startsWith(`${PREFIX}-${partition}-`) && !this.#skipping.has(name);
    const before = names.filter(isOne);
    const known = await Promise.all(before.map((name) => this.#info(name)));
    const name = `${PREFIX}-${partition}-${self}-${++this.#claims}`;
    const start = startAfter(known);
    const info = await manager.consumers.add(stream, this.#config(partition, name, start));
    const { state } = await manager.streams.info(stream);
    if (skipsSome(info, start, state.first_seq)) {
      // Its acknowledgements must not be taken for anybody's.
      this.#skipping.add(name);
      await manager.consumers.delete(stream, name);
      throw new SkippingConsumerError(
        `the consumer of partition ${partition} begins at ${info.delivered.stream_seq + 1}, not at ${start ?? state.first_seq}`,
      );
    }
    // Not waited for: one whose server is gone does not answer.
    for (const old of before) this.#delete(manager, old);
    const consumer = jetstream(connection.current(), ASKING).consumers.getConsumerFromInfo(info);
    const messages = await consumer.consume(pullOptions(kind, PREFETCH, checkPeriodMs()));
    this.#held.set(partition, { consumer: name, messages });
    void this.#work(partition, messages);
    void this.#listen(partition, messages);
  }

  /** @returns undefined: it is gone, or its server is */
  async #info(name: string): Promise<ConsumerInfo | undefined> {
    try {
      const manager = await jetstreamManager(this.#options.connection.current(), {
        ...ASKING,
        checkAPI: false,
      });
      return await manager.consumers.info(streams[this.#options.kind], name);
    } catch (error) {
      if (isSilence(error) || isNotFound(error)) return undefined;
      throw error;
    }
  }

  #config(partition: number, name: string, start: number | undefined): Partial<ConsumerConfig> {
    const { kind, keptMs } = this.#options;
    return {
      durable_name: name,
      // One that is lost with its server is made anew at once; to have copies it would have to wait for elections.
      num_replicas: 1,
      mem_storage: true,
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

  /** A server that is silent is taken for gone, with the consumer on it: the client would ask it again for ever. */
  async #listen(partition: number, messages: ConsumerMessages): Promise<void> {
    for await (const { type } of messages.status()) {
      if (type !== "heartbeats_missed" || this.#held.get(partition)?.messages !== messages) continue;
      this.#held.delete(partition);
      messages.stop();
      this.#options.lost(
        partition,
        new SilentConsumerError(`the consumer of partition ${partition} is silent`),
      );
    }
  }

  /** In the background. Where it fails, the server forgets the consumer by itself after `keptMs`. */
  #delete(manager: JetStreamManager, name: string): void {
    const { kind, log } = this.#options;
    manager.consumers.delete(streams[kind], name).catch((error: unknown) => {
      // Somebody else took over as well, or the server did it by itself.
      if (!isNotFound(error))
        log.debug({ event: "consumer-left", consumer: name, err: error }, `consumer ${name} was not deleted`);
    });
  }
}

function isNotFound(error: unknown): boolean {
  return error instanceof JetStreamApiError && error.code === CONSUMER_NOT_FOUND;
}

/**
 * Whether a consumer that was just made begins after the first message that it should give. A server that has just come back to its
 * cluster makes consumers while it still has less of the stream than the others, and puts them at the end of what it has (seen with
 * nats-server 2.9.10 frozen for some seconds: samples that the stream had were never handed over).
 * @param first of the stream, by its leader
 */
export function skipsSome(
  { delivered }: Pick<ConsumerInfo, "delivered">,
  start: number | undefined,
  first: number,
): boolean {
  return delivered.stream_seq + 1 > Math.max(start ?? 1, first);
}

const namesSchema = z.object({
  total: z.int().min(0),
  consumers: z.array(z.string()).nullish(),
  error: z.object({ description: z.string() }).optional(),
});

/**
 * Names alone: for a list with everything a cluster asks all its servers, and waits for seconds for a consumer that is just being made.
 * @throws {ConsumerNamesError}
 */
async function consumerNames(connection: NatsConnection, stream: string): Promise<string[]> {
  const names: string[] = [];
  for (;;) {
    const question = JSON.stringify({ offset: names.length });
    const answer = await connection.request(`$JS.API.CONSUMER.NAMES.${stream}`, question, ASKING);
    const { total, consumers, error } = namesSchema.parse({ total: 0, ...answer.json<object>() });
    if (error !== undefined) throw new ConsumerNamesError(`consumers of ${stream}: ${error.description}`);
    names.push(...(consumers ?? []));
    if ((consumers ?? []).length === 0 || names.length >= total) return names;
  }
}

/**
 * The first message that nobody acknowledged, as a sequence of the stream; undefined: not known, then all come again. All that
 * consumers acknowledged without a gap is done, whoever did it; what lies above a gap comes again and is recognised.
 */
function startAfter(before: readonly (ConsumerInfo | undefined)[]): number | undefined {
  const known = before.filter((info) => info !== undefined);
  if (known.length === 0) return undefined;
  return Math.max(
    1,
    ...known.map(({ ack_floor, config }) => Math.max(ack_floor.stream_seq + 1, config.opt_start_seq ?? 1)),
  );
}
