/** JetStream streams and buckets of the contracts; made, and brought up to date, by whoever manages the bus. */
import { StorageType, RetentionPolicy, DiscardPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import type { StreamConfig } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { KV } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import { MESSAGE_BYTES_MAX, PLANS_BUCKET, streams, subjects } from "@kvm-governor/policy";

export type MessageKind = "sample" | "applied" | "host";

const nanos = (ms: number): number => ms * 1_000_000;

/** How long and how many messages of one host are kept: a tick that is older than its plan would live is worthless. */
const limits: Record<MessageKind, { ageMs: number; perHost: number }> = {
  sample: { ageMs: 60_000, perHost: 64 },
  applied: { ageMs: 600_000, perHost: 64 },
  host: { ageMs: 300_000, perHost: 1 },
};

/** Largest size of one stream, in bytes: the oldest goes first. */
const STREAM_BYTES_MAX = 256 * 1024 * 1024;

function streamConfig(kind: MessageKind): Partial<StreamConfig> & { name: string } {
  return {
    name: streams[kind],
    subjects: [subjects[kind]("*")],
    // Worth nothing after a restart of the server, so not worth a disk.
    storage: StorageType.Memory,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    max_age: nanos(limits[kind].ageMs),
    max_msgs_per_subject: limits[kind].perHost,
    max_bytes: STREAM_BYTES_MAX,
    max_msg_size: MESSAGE_BYTES_MAX,
  };
}

/** Makes what is missing and updates what differs. Repeating it changes nothing. */
export async function ensureStreams(connection: NatsConnection): Promise<void> {
  const manager = await jetstreamManager(connection);
  const known = new Set(await manager.streams.names().next());
  for (const kind of ["sample", "applied", "host"] as const) {
    const config = streamConfig(kind);
    if (known.has(config.name)) await manager.streams.update(config.name, config);
    else await manager.streams.add(config);
  }
  await new Kvm(jetstream(connection)).create(PLANS_BUCKET, { history: 1, storage: StorageType.File });
}

/** Opens the bucket of plans. @throws {Error} it does not exist yet */
export async function openPlans(connection: NatsConnection): Promise<KV> {
  return new Kvm(jetstream(connection)).open(PLANS_BUCKET);
}
