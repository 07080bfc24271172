/** JetStream streams and buckets of the contracts; made, and brought up to date, by whoever manages the bus. */
import {
  DiscardPolicy,
  JetStreamApiError,
  RetentionPolicy,
  StorageType,
  jetstream,
  jetstreamManager,
} from "@nats-io/jetstream";
import type { JetStreamManager, StreamConfig } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import type { KV } from "@nats-io/kv";
import type { NatsConnection } from "@nats-io/transport-node";
import {
  MESSAGE_BYTES_MAX,
  PLANS_BUCKET,
  REFUSED_STREAM,
  allRefusedSubject,
  allSubjects,
  streams,
} from "@kvm-governor/policy";
import type { StreamSettings } from "./stream-settings.ts";

export type MessageKind = "sample" | "applied" | "host";
type Config = Partial<StreamConfig> & { name: string };

const PLANS_STREAM = `KV_${PLANS_BUCKET}`;
/** Messages of one host that are kept. */
const PER_HOST: Record<MessageKind, number> = { sample: 64, applied: 64, host: 1 };
/** Refused messages of one host and kind that are kept: one host must not push out what others sent. */
const REFUSED_PER_HOST = 8;
const REFUSED_BYTES_MAX = 32 * 1024 * 1024;

/** Code of JetStream (nats-server, errors.json: JSStreamNotFoundErr). */
const STREAM_NOT_FOUND = 10059;

const nanos = (ms: number): number => ms * 1_000_000;

/** Not made use of; the server refuses one that is longer than messages are kept. */
const duplicateWindow = (ageMs: number): number => nanos(Math.min(ageMs, 10_000));

/** A stream exists in a way that cannot be changed in place; the message says what to do. */
export class StreamMigrationError extends Error {
  override readonly name = "StreamMigrationError";
}

export function streamConfigs(settings: StreamSettings): Config[] {
  const { sampleAgeMs, appliedAgeMs, hostAgeMs, refusedAgeMs, streamReplicas, streamBytesMax } = settings;
  const common = {
    // Worth nothing after a restart of the server, so not worth a disk.
    storage: StorageType.Memory,
    retention: RetentionPolicy.Limits,
    discard: DiscardPolicy.Old,
    num_replicas: streamReplicas,
  };
  const ages = { sample: sampleAgeMs, applied: appliedAgeMs, host: hostAgeMs };
  const kinds = (["sample", "applied", "host"] as const).map((kind) => ({
    ...common,
    name: streams[kind],
    subjects: [allSubjects[kind]],
    max_age: nanos(ages[kind]),
    duplicate_window: duplicateWindow(ages[kind]),
    max_msgs_per_subject: PER_HOST[kind],
    max_bytes: streamBytesMax,
    max_msg_size: MESSAGE_BYTES_MAX,
  }));
  const refused = {
    ...common,
    name: REFUSED_STREAM,
    subjects: [allRefusedSubject],
    max_age: nanos(refusedAgeMs),
    duplicate_window: duplicateWindow(refusedAgeMs),
    max_msgs_per_subject: REFUSED_PER_HOST,
    max_bytes: Math.min(REFUSED_BYTES_MAX, streamBytesMax),
  };
  return [...kinds, refused];
}

/** What the streams may take together, in bytes of a server's memory; the server keeps so much free for them (`max_bytes`). */
export function streamMemoryBytes(settings: StreamSettings): number {
  return streamConfigs(settings).reduce((sum, { max_bytes: bytes = 0 }) => sum + bytes, 0);
}

/**
 * Makes what is missing and changes what differs, with the messages that are in it. Repeating it changes nothing.
 * @returns names of the streams that were made or changed
 * @throws {StreamMigrationError} what exists cannot be changed so
 */
export async function ensureStreams(connection: NatsConnection, settings: StreamSettings): Promise<string[]> {
  const manager = await jetstreamManager(connection);
  const configs = streamConfigs(settings);
  const known = await knownStreams(manager, [...configs.map(({ name }) => name), PLANS_STREAM]);
  const touched: string[] = [];
  for (const config of configs) {
    const found = known.get(config.name);
    if (found === undefined) await manager.streams.add(config);
    else if (!(await update(manager, found, config))) continue;
    touched.push(config.name);
  }
  const plans = known.get(PLANS_STREAM);
  const replicas = settings.streamReplicas;
  if (plans === undefined) {
    await new Kvm(jetstream(connection)).create(PLANS_BUCKET, {
      history: 1,
      storage: StorageType.File,
      replicas,
      // Read from the leader alone: any other server of a cluster may be behind, and decisions rest on it.
      allow_direct: false,
    });
    touched.push(PLANS_STREAM);
  } else {
    // The server leaves out what is false.
    const wanted = { name: PLANS_STREAM, num_replicas: replicas };
    const isRead = plans.allow_direct === true ? { allow_direct: false } : {};
    if (await update(manager, plans, { ...wanted, ...isRead })) touched.push(PLANS_STREAM);
  }
  return touched;
}

/** Asked one by one: for a list a cluster asks all its servers, and waits for seconds for one that is away. */
async function knownStreams(
  manager: JetStreamManager,
  names: readonly string[],
): Promise<Map<string, StreamConfig>> {
  const known = new Map<string, StreamConfig>();
  const look = async (name: string): Promise<void> => {
    try {
      known.set(name, (await manager.streams.info(name)).config);
    } catch (error) {
      if (!(error instanceof JetStreamApiError && error.code === STREAM_NOT_FOUND)) throw error;
    }
  };
  await Promise.all(names.map(look));
  return known;
}

async function update(manager: JetStreamManager, found: StreamConfig, wanted: Config): Promise<boolean> {
  const differs = (Object.keys(wanted) as (keyof StreamConfig)[]).filter(
    (key) => JSON.stringify(found[key]) !== JSON.stringify(wanted[key]),
  );
  if (differs.length === 0) return false;
  try {
    await manager.streams.update(wanted.name, { ...found, ...wanted });
    return true;
  } catch (cause) {
    if (!(cause instanceof JetStreamApiError)) throw cause;
    throw new StreamMigrationError(
      `stream ${wanted.name} cannot be changed in place (${differs.join(", ")}): ${cause.message}; ` +
        `remove it ("nats stream rm ${wanted.name}") and it is made anew`,
      { cause },
    );
  }
}

/** Opens the bucket of plans. @throws {Error} it does not exist yet */
export async function openPlans(connection: NatsConnection): Promise<KV> {
  return new Kvm(jetstream(connection)).open(PLANS_BUCKET);
}
