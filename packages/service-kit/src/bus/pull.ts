/** How messages are asked for, so that a server that dies with the request is noticed soon. */
import type { ConsumeOptions } from "@nats-io/jetstream";
import type { MessageKind } from "./streams.ts";

/**
 * A request ends after this, in milliseconds, and is made again. Each end is a message and each request another, for each of the 66
 * consumers of a fleet, also where nothing comes. That a request was lost is not noticed by its end but by the heartbeats.
 */
const EXPIRES_MS = 10_000;
/**
 * The server gives a sign of life so often where it has nothing else to say, in milliseconds; after two that did not come the request is lost. Each is a
 * message, from 33 consumers of each kind. The client's least is 500, the most half of what a request lasts. Reports are read, and may come some
 * seconds late when a server dies. For samples guests wait: a request that was lost costs them no more than a check period.
 */
const SIGN_MS_MIN = 500;
const SIGN_MS_MAX = 2500;
/** More is asked for when no more than this part of what was asked for is still to come: a request for each message costs as much as it. */
const REFILL_AT = 0.5;

/**
 * @param max asked for ahead
 * @param checkPeriodMs T_check, in milliseconds
 */
export function pullOptions(kind: MessageKind, max: number, checkPeriodMs = 0): ConsumeOptions {
  return {
    max_messages: max,
    expires: EXPIRES_MS,
    idle_heartbeat: signMs(kind, checkPeriodMs),
    threshold_messages: Math.floor(max * REFILL_AT),
    abort_on_missing_resource: true,
  };
}

function signMs(kind: MessageKind, checkPeriodMs: number): number {
  if (kind === "applied") return SIGN_MS_MAX;
  return Math.round(Math.min(SIGN_MS_MAX, Math.max(SIGN_MS_MIN, checkPeriodMs / 2)));
}
