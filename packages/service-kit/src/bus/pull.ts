/** How messages are asked for, so that a server that dies with the request is noticed soon. */
import type { ConsumeOptions } from "@nats-io/jetstream";

/**
 * A request ends after this, in milliseconds, and is made again. Each end is a message and each request another, for each of the 66
 * consumers of a fleet, also where nothing comes. That a request was lost is not noticed by its end but by the heartbeats.
 */
const EXPIRES_MS = 10_000;
/** Where the server says nothing for twice this, in milliseconds, the request is lost. The client's least is 500. */
const HEARTBEAT_MS = 500;
/** More is asked for when no more than this part of what was asked for is still to come: a request for each message costs as much as it. */
const REFILL_AT = 0.5;

/** @param max asked for ahead */
export function pullOptions(max: number): ConsumeOptions {
  return {
    max_messages: max,
    expires: EXPIRES_MS,
    idle_heartbeat: HEARTBEAT_MS,
    threshold_messages: Math.floor(max * REFILL_AT),
    abort_on_missing_resource: true,
  };
}
