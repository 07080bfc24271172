/**
 * A watch of the bucket of plans. Not the client's own: that one is told by the server every 30 s that it is still there, and when the
 * server of a cluster that held it dies, it notices after a minute, when all plans are void.
 */
import { AckPolicy, DeliverPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { ConsumerMessages } from "@nats-io/jetstream";
import { createInbox } from "@nats-io/transport-node";
import type { NatsConnection } from "@nats-io/transport-node";
import { PLANS_BUCKET } from "@kvm-governor/policy";

export interface WatchedEntry {
  key: string;
  value: Uint8Array;
  revision: number;
}

/** The server was silent, or left something out: the watch is to be made anew. */
export class WatchLostError extends Error {
  override readonly name = "WatchLostError";
}

const STREAM = `KV_${PLANS_BUCKET}`;
const PREFIX = `$KV.${PLANS_BUCKET}.`;
const DELETED = "KV-Operation";
const NANOS = 1_000_000;
/** Lost after twice this without a word, in milliseconds. A plan lives for longer. */
const HEARTBEAT_MS = 1000;
/** How long the server keeps a watch that nobody listens to. */
const KEPT_MS = 30_000;
/** A host has no right to look at the account. */
const ASKING = { timeout: 2000, checkAPI: false } as const;

export interface PlanWatch {
  /**
   * Hands over the present value and each later one, until it is stopped.
   * @throws {WatchLostError}
   */
  run(onEntry: (entry: WatchedEntry) => void): Promise<void>;
  stop(): void;
}

/** @param key of one host, or `>`. @throws {Error} no bucket, or no answer */
export async function watchPlans(
  connection: NatsConnection,
  key: string,
  inboxPrefix: string | undefined,
): Promise<PlanWatch> {
  const manager = await jetstreamManager(connection, ASKING);
  const inbox = createInbox(inboxPrefix);
  const { name } = await manager.consumers.add(STREAM, {
    name: `KV_WATCHER_${inbox.slice(inbox.lastIndexOf(".") + 1)}`,
    deliver_policy: DeliverPolicy.LastPerSubject,
    deliver_subject: inbox,
    filter_subject: PREFIX + key,
    ack_policy: AckPolicy.None,
    max_deliver: 1,
    flow_control: true,
    idle_heartbeat: HEARTBEAT_MS * NANOS,
    inactive_threshold: KEPT_MS * NANOS,
    // Its place is with whoever listens: it is made anew rather than kept.
    num_replicas: 1,
    mem_storage: true,
  });
  const consumer = await jetstream(connection, ASKING).consumers.getPushConsumer(STREAM, name);
  const messages = await consumer.consume();
  return { run: (onEntry) => follow(messages, onEntry), stop: () => messages.stop() };
}

async function follow(messages: ConsumerMessages, onEntry: (entry: WatchedEntry) => void): Promise<void> {
  let lost: WatchLostError | undefined;
  const listening = listen(messages, (what) => {
    lost ??= new WatchLostError(`the watch of plans is lost: ${what}`);
    messages.stop();
  });
  let delivered = 0;
  for await (const message of messages) {
    // Sent while nobody was connected: gone, for nothing is acknowledged here.
    if (message.info.deliverySequence !== ++delivered) {
      lost = new WatchLostError("the watch of plans is lost: an entry did not come");
      break;
    }
    if (message.headers?.has(DELETED) === true) continue;
    onEntry({ key: message.subject.slice(PREFIX.length), value: message.data, revision: message.seq });
  }
  messages.stop();
  await listening;
  if (lost !== undefined) throw lost;
}

async function listen(messages: ConsumerMessages, lost: (what: string) => void): Promise<void> {
  for await (const { type } of messages.status())
    if (type === "heartbeats_missed" || type === "consumer_deleted") lost(type.replace("_", " "));
}
