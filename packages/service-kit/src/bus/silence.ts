/**
 * JetStream that does not answer. A server that is cut off from its cluster keeps its clients, answers their pings, and can do nothing for
 * them; it does not say so. Whoever asks in vain for long should ask another server.
 */
import { JetStreamApiError } from "@nats-io/jetstream";
import { NoRespondersError, RequestError, TimeoutError } from "@nats-io/transport-node";

/** An election in NATS takes 4 to 9 s, and is no reason to leave; plans live for 10 s by default. */
const SILENT_MS = 6000;
/** Code of JetStream for "temporarily unavailable": no leader is known (nats-server, errors.json: JSClusterNotAvailErr). */
const NO_LEADER = 10008;

/** Whether an error says that nobody answered, and not what the answer was. */
export function isSilence(error: unknown): boolean {
  if (error instanceof TimeoutError || error instanceof NoRespondersError) return true;
  if (error instanceof JetStreamApiError) return error.code === NO_LEADER;
  if (!(error instanceof Error)) return false;
  return error instanceof RequestError || (error.cause !== undefined && isSilence(error.cause));
}

export class Silence {
  readonly #now: () => number;
  #since: number | undefined;

  /** @param now monotonic clock, milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Somebody answered, or there is a new connection. */
  end(): void {
    this.#since = undefined;
  }

  /** A request ended so. @returns whether it has been silent for too long; then it begins anew */
  failed(error: unknown): boolean {
    if (!isSilence(error)) return false;
    this.#since ??= this.#now();
    if (this.#now() - this.#since < SILENT_MS) return false;
    this.#since = undefined;
    return true;
  }
}
