/** Where in a stream somebody reads, and what the server keeps of it. */
import { AckPolicy, DeliverPolicy } from "@nats-io/jetstream";
import type { ConsumerConfig } from "@nats-io/jetstream";
import { allSubjects } from "@kvm-governor/policy";
import type { MessageKind } from "./streams.ts";

/** A place of one's own, that begins with the last message of each host: whoever starts knows all hosts at once. */
export const LAST_OF_EACH_HOST = { deliver: "last of each host" } as const;
/** A name: the place is kept on the server, and those who share it share the messages. */
export type Place = string | typeof LAST_OF_EACH_HOST;

const NANOS = 1_000_000;
const ACK_WAIT_MS = 10_000;
/** How long the server keeps the place of somebody who reads alone and is away. */
const ALONE_KEPT_MS = 60_000;

export function consumerConfig(kind: MessageKind, place: Place): Partial<ConsumerConfig> {
  const common = { ack_policy: AckPolicy.Explicit, ack_wait: ACK_WAIT_MS * NANOS, max_ack_pending: 4096 };
  if (typeof place === "string") {
    return { ...common, durable_name: place, deliver_policy: DeliverPolicy.All };
  }
  return {
    ...common,
    deliver_policy: DeliverPolicy.LastPerSubject,
    // The server refuses "last per subject" without one.
    filter_subject: allSubjects[kind],
    inactive_threshold: ALONE_KEPT_MS * NANOS,
  };
}
