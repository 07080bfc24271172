/**
 * Hands samples to the bus without ever holding up the measuring: one on its way, one waiting, no more. A sample says
 * what a host did just now, so that an old one is worth nothing: what waited longer than a period is dropped and counted.
 */
import type { Sample } from "@kvm-governor/policy";

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
}

export class SamplePublisher {
  readonly #options: PublisherOptions;
  readonly #stopListening: () => void;
  #waiting: { sample: Sample; sinceMs: number } | undefined;
  #sending: Promise<void> | undefined;

  constructor(options: PublisherOptions) {
    this.#options = options;
    this.#stopListening = options.bus.onUp(() => this.#send());
  }

  /** Takes a sample; returns at once. */
  offer(sample: Sample): void {
    if (this.#waiting !== undefined) this.#options.onDropped("replaced");
    this.#waiting = { sample, sinceMs: this.#options.nowMs() };
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
    const { sample, sinceMs } = this.#waiting;
    this.#waiting = undefined;
    if (nowMs() - sinceMs > periodMs) return onDropped("stale");
    this.#sending = this.#publish(sample).finally(() => {
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
