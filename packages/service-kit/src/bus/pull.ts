/** How messages are asked for, so that a server that dies with the request is noticed soon. */
import type { ConsumeOptions } from "@nats-io/jetstream";
import type { MessageKind } from "./streams.ts";

/**
 * A request ends after this, in milliseconds, and is made again. Each end is a message and each request another, for each of the 66
 * consumers of a fleet, also where nothing comes. That a request was lost is not noticed by its end but by the heartbeats.
 */
const EXPIRES_MS = 10_000;
/**
 * Where the server says nothing for twice this, in milliseconds, the request is lost. The client's least is 500, the most half of what a request
 * lasts. Guests wait for plans, and these for samples; reports are read, and may come some seconds late when a server dies. Each sign of life is a message,
 * from 33 consumers of each kind.
 */
const HEARTBEAT_MS: Readonly<Record<MessageKind, number>> = { sample: 500, host: 500, applied: 2500 };
/** More is asked for when no more than this part of what was asked for is still to come: a request for each message costs as much as it. */
const REFILL_AT = 0.5;

/** @param max asked for ahead */
export function pullOptions(kind: MessageKind, max: number): ConsumeOptions {
  return {
    max_messages: max,
    expires: EXPIRES_MS,
    idle_heartbeat: HEARTBEAT_MS[kind],
    threshold_messages: Math.floor(max * REFILL_AT),
    abort_on_missing_resource: true,
  };
}
