/** Tells the fleet what this host is: at the start, when it changes, after each connect, and as a heartbeat. */
import type { Host } from "@kvm-governor/policy";

export interface HostBus {
  readonly up: boolean;
  publish(kind: "host", host: string, value: unknown): Promise<void>;
  onUp(listener: () => void): () => void;
}

export interface AnnouncerOptions {
  bus: HostBus;
  /** What the host is now. */
  describe: () => Host;
  heartbeatMs: number;
  nowMs: () => number;
  onFailed: (error: unknown) => void;
}

export class HostAnnouncer {
  readonly #options: AnnouncerOptions;
  readonly #stopListening: () => void;
  #announcedAtMs = -Infinity;
  #sending = false;
  #isDueAgain = false;

  constructor(options: AnnouncerOptions) {
    this.#options = options;
    this.#stopListening = options.bus.onUp(() => this.#announce());
  }

  /** At each tick. */
  tick(isChanged: boolean): void {
    const { nowMs, heartbeatMs } = this.#options;
    if (isChanged || nowMs() - this.#announcedAtMs >= heartbeatMs) this.#announce();
  }

  close(): void {
    this.#stopListening();
  }

  /** A failed announcement is tried again at the next tick, one that came too early right after. */
  #announce(): void {
    const { bus } = this.#options;
    if (!bus.up) return;
    this.#isDueAgain = this.#sending;
    if (!this.#sending) void this.#send();
  }

  async #send(): Promise<void> {
    const { bus, describe, nowMs, onFailed } = this.#options;
    this.#sending = true;
    const fromMs = nowMs();
    try {
      const host = describe();
      await bus.publish("host", host.host, host);
      this.#announcedAtMs = fromMs;
    } catch (error) {
      this.#announcedAtMs = -Infinity;
      onFailed(error);
    }
    this.#sending = false;
    if (this.#isDueAgain) this.#announce();
  }
}
