/**
 * Hands samples to the bus without ever holding up the measuring: one on its way, one waiting, no more. A sample says
 * what a host did just now, so that an old one is worth nothing: what waited longer than a period is dropped and counted.
 */
import type { Sample } from "@kvm-governor/policy";
import { TRACING_OFF, type Tracing } from "@kvm-governor/service-kit";

/** Why a sample was not sent. `replaced`: a newer one came; `stale`: too old; `failed`: the bus refused it. */
export type DropReason = "replaced" | "stale" | "failed";

export interface SampleBus {
  readonly up: boolean;
  publish(kind: "sample", host: string, value: unknown): Promise<void>;
  /** Calls back after each connect. Returns the way to stop it. */
  onUp(listener: () => void): () => void;
}

export interface PublisherOptions {
  bus: SampleBus;
  nowMs: () => number;
  periodMs: number;
  onPublished: (sample: Sample) => void;
  onDropped: (reason: DropReason, error?: unknown) => void;
  /** By default off. */
  tracing?: Tracing;
}

export class SamplePublisher {
  readonly #options: PublisherOptions;
  readonly #stopListening: () => void;
  #waiting: { publish: () => Promise<void>; sinceMs: number } | undefined;
  #sending: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#stopListening = options.bus.onUp(() => this.#send());
  }

  /** Takes a sample; returns at once. */
  offer(sample: Sample): void {
    const { nowMs, onDropped, tracing = TRACING_OFF } = this.#options;
    if (this.#waiting !== undefined) onDropped("replaced");
    // Sent later, it still belongs to its own tick.
    this.#waiting = { publish: tracing.bind(() => this.#publish(sample)), sinceMs: nowMs() };
    this.#send();
  }

  /** Waits for the sample that is on its way; takes no more. */
  async close(): Promise<void> {
    this.#stopListening();
    this.#waiting = undefined;
    await this.#sending;
  }

  #send(): void {
    const { bus, nowMs, periodMs, onDropped } = this.#options;
    if (this.#sending !== undefined || this.#waiting === undefined || !bus.up) return;
    const { publish, sinceMs } = this.#waiting;
    this.#waiting = undefined;
    if (nowMs() - sinceMs > periodMs) return onDropped("stale");
    this.#sending = publish().finally(() => {
      this.#sending = undefined;
      this.#send();
    });
  }

  async #publish(sample: Sample): Promise<void> {
    try {
      await this.#options.bus.publish("sample", sample.host, sample);
      this.#options.onPublished(sample);
    } catch (error) {
      this.#options.onDropped("failed", error);
    }
  }
}
