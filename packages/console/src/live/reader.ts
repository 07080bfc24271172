/**
 * One open page. Nothing is queued for it: it gets a message when it has taken the one before, and then everything that
 * it missed in one. Who takes nothing for some seconds is cut off; the page connects again when it can.
 */
import type { Topic } from "./topic.ts";

/** The part of a response that is used, so that tests can stand in for a network. */
export interface Connection {
  /** Bytes that were written and that the network has not taken. */
  readonly writableLength: number;
  write(bytes: Uint8Array): unknown;
  destroy(): unknown;
}

/** How long a reader may take nothing. */
export const CUT_AFTER_MS = 5000;
/** Messages go out in pieces of so many bytes: a network that takes one of them in 5 s is slow, not stuck. */
export const PIECE_BYTES = 16 * 1024;
/** Something is sent at least this often: silence means that the connection is gone. */
export const BEAT_MS = 5000;

export class Reader {
  readonly #connection: Connection;
  readonly #topic: Topic;
  #version: number;
  #stuckSinceMs: number | undefined;
  #untaken = 0;
  #saidAtMs: number;

  /** @param lastEventId what the page got last, where it comes back */
  constructor(connection: Connection, topic: Topic, lastEventId: string | undefined, nowMs: number) {
    this.#connection = connection;
    this.#topic = topic;
    this.#version = topic.versionOf(lastEventId);
    this.#saidAtMs = nowMs;
  }

  /** Sends what is missing, if the reader can take it. @returns false: it was cut off */
  pump(nowMs: number): boolean {
    const { writableLength } = this.#connection;
    const isTaking = writableLength < this.#untaken;
    this.#untaken = writableLength;
    if (writableLength > 0) {
      if (isTaking) this.#stuckSinceMs = nowMs;
      this.#stuckSinceMs ??= nowMs;
      if (nowMs - this.#stuckSinceMs < CUT_AFTER_MS) return true;
      this.#connection.destroy();
      return false;
    }
    this.#stuckSinceMs = undefined;
    const missing = this.#topic.since(this.#version);
    if (missing !== "") this.#say(missing, nowMs);
    else if (nowMs - this.#saidAtMs >= BEAT_MS) this.#say(`event: beat\ndata: {"now":${nowMs}}\n\n`, nowMs);
    this.#version = this.#topic.version;
    return true;
  }

  #say(text: string, nowMs: number): void {
    this.#saidAtMs = nowMs;
    const bytes = Buffer.from(text);
    for (let from = 0; from < bytes.length; from += PIECE_BYTES)
      this.#connection.write(bytes.subarray(from, from + PIECE_BYTES));
  }
}
