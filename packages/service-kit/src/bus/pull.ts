/** How messages are asked for, so that a server that dies with the request is noticed soon. */
import type { ConsumeOptions } from "@nats-io/jetstream";

/**
 * Asking again at the end of this, in milliseconds, and after an answer that did not come: the client's 30 s would outlive plans. Its
 * least is 1000.
 */
const EXPIRES_MS = 1000;
/** Where the server says nothing for twice this, in milliseconds, the request is lost. The client's least is 500. */
const HEARTBEAT_MS = 500;

/** @param max asked for ahead */
export function pullOptions(max: number): ConsumeOptions {
  return {
    max_messages: max,
    expires: EXPIRES_MS,
    idle_heartbeat: HEARTBEAT_MS,
    abort_on_missing_resource: true,
  };
}
