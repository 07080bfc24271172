/**
 * Which members of a group are alive: each says so a few times in the length of a silence, on a subject of the bus that nothing
 * keeps, and whoever is not heard for that long is taken for dead. Being wrong costs double work, never a wrong result.
 */
import { memberSubject } from "@kvm-governor/policy";
import type { Subscription } from "@nats-io/transport-node";
import type { BusConnection } from "./connection.ts";

export interface MembersOptions {
  connection: BusConnection;
  /** Own name: one token of a subject. */
  self: string;
  /** Who is not heard of for this long is dead, in milliseconds. */
  silenceMs: number;
  /** The living changed, or it is known now who they are. */
  changed: () => void;
  /** Monotonic clock, milliseconds. */
  now: () => number;
}

/** `hello`: I came, who is there? `here`: I am alive. `bye`: I leave in order. */
type Word = "hello" | "here" | "bye";
const words: ReadonlySet<string> = new Set<Word>(["hello", "here", "bye"]);

/** How often one speaks in the length of a silence: some of these may be lost. */
const WORDS_A_SILENCE = 4;
/** How long answers to a `hello` are waited for. */
const ANSWERS_MS = 250;
/** Somebody who may speak on the bus must not fill our memory with names. */
const MEMBERS_MAX = 256;
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

export class Members {
  readonly #options: MembersOptions;
  readonly #heardAt = new Map<string, number>();
  #subscription: Subscription | undefined;
  #timer: NodeJS.Timeout | undefined;
  #unlisten: (() => void) | undefined;
  #knownFrom = Infinity;
  #lookedAt: number;

  constructor(options: MembersOptions) {
    this.#options = options;
    this.#lookedAt = options.now();
  }

  /** Speaks and listens from the next connect on. */
  start(): void {
    const everyMs = this.#options.silenceMs / WORDS_A_SILENCE;
    this.#timer = setInterval(() => this.#look(everyMs), everyMs);
    this.#unlisten = this.#options.connection.onUp(() => this.#join());
  }

  /** Says good-bye, so that nobody waits for the silence to be long enough. */
  stop(): void {
    clearInterval(this.#timer);
    this.#unlisten?.();
    this.#say("bye");
    this.#subscription?.unsubscribe();
  }

  /** Names of the living, this one included; undefined while that is not known: not connected, or only just. */
  living(): readonly string[] | undefined {
    const { connection, now, self } = this.#options;
    if (!connection.up || now() < this.#knownFrom) return undefined;
    return [self, ...this.#heardAt.keys()];
  }

  /** Nothing was heard while away: all get the time of one silence to speak again. */
  #join(): void {
    const { connection, now, changed } = this.#options;
    this.#subscription ??= connection.current().subscribe(memberSubject("*"), {
      callback: (error, message) => {
        if (error === null || error === undefined) this.#hear(message.subject, message.string());
      },
    });
    for (const name of this.#heardAt.keys()) this.#heardAt.set(name, now());
    this.#knownFrom = now() + ANSWERS_MS;
    this.#say("hello");
    setTimeout(changed, ANSWERS_MS + 1).unref();
  }

  #hear(subject: string, word: string): void {
    const name = subject.slice(memberSubject("").length);
    const { self, now, changed } = this.#options;
    if (name === self || !NAME.test(name) || !words.has(word)) return;
    if (word === "bye") {
      if (this.#heardAt.delete(name)) changed();
      return;
    }
    const isNew = !this.#heardAt.has(name);
    if (isNew && this.#heardAt.size >= MEMBERS_MAX) return;
    this.#heardAt.set(name, now());
    if (word === "hello") this.#say("here");
    if (isNew) changed();
  }

  #look(everyMs: number): void {
    const { now, silenceMs, changed } = this.#options;
    this.#say("here");
    const stoodStillMs = now() - this.#lookedAt - everyMs;
    this.#lookedAt = now();
    let isAnyDead = false;
    for (const [name, heardAt] of this.#heardAt) {
      // While this process stood still it could not hear: what was said then is still to be read.
      if (stoodStillMs > everyMs) this.#heardAt.set(name, heardAt + stoodStillMs);
      else if (now() - heardAt > silenceMs) isAnyDead = this.#heardAt.delete(name) || isAnyDead;
    }
    if (isAnyDead) changed();
  }

  #say(word: Word): void {
    const { connection, self } = this.#options;
    if (connection.up) connection.current().publish(memberSubject(self), word);
  }
}
