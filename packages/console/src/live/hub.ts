/**
 * All open pages. What a page shows is made once for all that look at it, at most once a second, and only while somebody
 * looks or has just looked.
 */
import type { Model } from "../model/model.ts";
import { Reader } from "./reader.ts";
import type { Connection } from "./reader.ts";
import { Topic } from "./topic.ts";

/** How often pages are brought up to date. */
export const REFRESH_MS = 1000;
/** A topic that nobody reads is kept for so long: who comes back gets what was missed. */
const KEPT_MS = 30_000;

interface Shown {
  topic: Topic;
  make: () => Model;
  readers: Set<Reader>;
  emptySinceMs: number;
}

export interface HubStats {
  streams: number;
  refused: number;
  /** Readers that took nothing for too long. */
  cutOff: number;
}

export interface HubOptions {
  now: () => number;
  streamsMax: number;
  onError: (name: string, error: unknown) => void;
}

export class Hub {
  readonly stats: HubStats = { streams: 0, refused: 0, cutOff: 0 };
  readonly #options: HubOptions;
  readonly #shown = new Map<string, Shown>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: HubOptions) {
    this.#options = options;
  }

  /** Whether one more page may be opened. */
  get hasRoom(): boolean {
    return this.stats.streams < this.#options.streamsMax;
  }

  /** Topics that are kept, with or without readers. */
  get topics(): number {
    return this.#shown.size;
  }

  /**
   * Begins to send.
   * @param name of what is shown; the same name is the same model
   * @returns ends it: to be called when the connection is closed
   */
  open(name: string, make: () => Model, connection: Connection, lastEventId: string | undefined): () => void {
    const { now } = this.#options;
    let shown = this.#shown.get(name);
    if (shown === undefined) {
      if (this.#shown.size >= 2 * this.#options.streamsMax) this.#dropUnread();
      shown = { topic: new Topic(now), make, readers: new Set(), emptySinceMs: now() };
      this.#shown.set(name, shown);
    }
    // Who comes first, or back, is not to wait for the next second.
    if (shown.readers.size === 0) this.#update(name, shown);
    const reader = new Reader(connection, shown.topic, lastEventId, now());
    shown.readers.add(reader);
    this.stats.streams += 1;
    this.#timer ??= setInterval(() => this.refresh(), REFRESH_MS).unref();
    reader.pump(now());
    return () => this.#close(shown, reader);
  }

  /** Makes all models anew and sends what changed. */
  refresh(): void {
    const nowMs = this.#options.now();
    for (const [name, shown] of this.#shown) {
      if (shown.readers.size === 0) {
        if (nowMs - shown.emptySinceMs > KEPT_MS) this.#shown.delete(name);
        continue;
      }
      this.#update(name, shown);
      for (const reader of shown.readers) {
        if (reader.pump(nowMs)) continue;
        this.stats.cutOff += 1;
        this.#close(shown, reader);
      }
    }
    if (this.#shown.size === 0) this.close();
  }

  close(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** A page that cannot be made keeps what it shows; the others go on. */
  #update(name: string, { topic, make }: Shown): void {
    try {
      topic.update(make());
    } catch (error) {
      this.#options.onError(name, error);
    }
  }

  /** Somebody who opens page after page must not fill the memory. */
  #dropUnread(): void {
    for (const [name, { readers }] of this.#shown) if (readers.size === 0) this.#shown.delete(name);
  }

  #close(shown: Shown, reader: Reader): void {
    if (!shown.readers.delete(reader)) return;
    this.stats.streams -= 1;
    if (shown.readers.size === 0) shown.emptySinceMs = this.#options.now();
  }
}
