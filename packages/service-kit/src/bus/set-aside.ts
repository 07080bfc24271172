/**
 * Messages that were refused, kept in a stream of their own so that somebody can look at them: as they came, with the reason in
 * headers. Bounded: one a minute for each host, kind and reason, cut at a size; the stream bounds the rest.
 */
import { jetstream } from "@nats-io/jetstream";
import { headers } from "@nats-io/transport-node";
import { refusedSubject } from "@kvm-governor/policy";
import type { Logger } from "../log.ts";
import type { BusMessage } from "./bus.ts";
import type { BusConnection } from "./connection.ts";
import type { BusMetrics } from "./metrics.ts";
import type { MessageKind } from "./streams.ts";

const EVERY_MS = 60_000;
const REMEMBERED_MAX = 10_000;
const BYTES_MAX = 64 * 1024;
const TEXT_MAX = 500;
const TIMEOUT_MS = 2000;

export interface SetAsideOptions {
  connection: BusConnection;
  metrics: BusMetrics;
  log: Logger;
  /** Monotonic clock, milliseconds. */
  now: () => number;
}

export class SetAside {
  readonly #options: SetAsideOptions;
  readonly #keptAt = new Map<string, number>();

  constructor(options: SetAsideOptions) {
    this.#options = options;
  }

  /** Keeps a message, in the background; that it could not be kept is counted and stops nobody. */
  keep(kind: MessageKind, message: BusMessage, reason: string, text: string): void {
    const { metrics, now, log } = this.#options;
    const key = `${kind} ${message.host} ${reason}`;
    if (now() - (this.#keptAt.get(key) ?? -EVERY_MS) < EVERY_MS) {
      metrics.setAside.inc({ kind, outcome: "skipped" });
      return;
    }
    if (this.#keptAt.size >= REMEMBERED_MAX) this.#keptAt.clear();
    this.#keptAt.set(key, now());
    this.#publish(kind, message, reason, text).then(
      () => metrics.setAside.inc({ kind, outcome: "kept" }),
      (error: unknown) => {
        metrics.setAside.inc({ kind, outcome: "failed" });
        log.debug({ event: "set-aside-failed", kind, err: error }, "a refused message could not be kept");
      },
    );
  }

  async #publish(kind: MessageKind, message: BusMessage, reason: string, text: string): Promise<void> {
    const head = headers();
    head.set("Kvmgov-Reason", reason);
    // What a host sent may be in the text, and a header holds no line end.
    head.set("Kvmgov-Text", text.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, TEXT_MAX));
    head.set("Kvmgov-Subject", message.subject);
    head.set("Kvmgov-Sequence", String(message.streamSequence));
    head.set("Kvmgov-Bytes", String(message.data.length));
    const client = jetstream(this.#options.connection.current(), { timeout: TIMEOUT_MS });
    await client.publish(refusedSubject(kind, message.host), message.data.subarray(0, BYTES_MAX), {
      headers: head,
    });
  }
}
