/**
 * Questions that the members of a group ask each other over the bus, without knowing who is there: each member hears each
 * question and answers, in one piece or several, on a subject of whoever asked. Nothing keeps them, and nothing waits.
 */
import { randomBytes } from "node:crypto";
import { answerSubject, MESSAGE_BYTES_MAX, questionSubject } from "@kvm-governor/policy";
import type { Subscription } from "@nats-io/transport-node";
import type { BusConnection } from "./connection.ts";

export interface Question {
  kind: string;
  data: Uint8Array;
  /** Largest piece of an answer that the server passes on, in bytes. */
  bytesMax: number;
  /** Sends one piece of the answer. @throws {BusAwayError} */
  answer(piece: Uint8Array): void;
}

export interface QuestionsOptions {
  connection: BusConnection;
  /** Own name among the members: one token of a subject. */
  self: string;
  /** Another member asks. Must not throw. */
  asked: (question: Question) => void;
  /** A piece came to no open question: late, or not from one who was asked. */
  unasked: () => void;
}

/** Takes one piece of an answer. Must not throw. */
export type Answered = (piece: Uint8Array) => void;

/** Random names: who cannot listen to questions cannot answer one. */
const NAME_BYTES = 12;

export class Questions {
  readonly #options: QuestionsOptions;
  /** By their names. */
  readonly #open = new Map<string, Answered>();
  readonly #unlisten: () => void;
  #subscriptions: Subscription[] | undefined;

  constructor(options: QuestionsOptions) {
    this.#options = options;
    this.#unlisten = options.connection.onUp(() => this.#listen());
  }

  /** Questions that wait for answers. */
  get open(): number {
    return this.#open.size;
  }

  /**
   * Asks all other members.
   * @param kind one token of a subject
   * @returns ends it: what comes later is not handed over
   * @throws {BusAwayError}
   */
  ask(kind: string, data: Uint8Array, answered: Answered): () => void {
    const { connection, self } = this.#options;
    const name = randomBytes(NAME_BYTES).toString("hex");
    connection.current().publish(questionSubject(kind), data, { reply: answerSubject(self, name) });
    this.#open.set(name, answered);
    return () => void this.#open.delete(name);
  }

  stop(): void {
    this.#unlisten();
    for (const subscription of this.#subscriptions ?? []) subscription.unsubscribe();
    this.#open.clear();
  }

  /** Once: the client makes subscriptions anew after a reconnect. */
  #listen(): void {
    if (this.#subscriptions !== undefined) return;
    const connection = this.#options.connection.current();
    const { self } = this.#options;
    this.#subscriptions = [
      connection.subscribe(answerSubject(self, "*"), {
        callback: (error, message) => {
          if (error !== null && error !== undefined) return;
          this.#take(message.subject.slice(answerSubject(self, "").length), message.data);
        },
      }),
      connection.subscribe(questionSubject("*"), {
        callback: (error, message) => {
          if (error !== null && error !== undefined) return;
          this.#hear(message.subject.slice(questionSubject("").length), message.reply, message.data);
        },
      }),
    ];
  }

  #take(name: string, piece: Uint8Array): void {
    const answered = this.#open.get(name);
    if (answered === undefined) this.#options.unasked();
    else answered(piece);
  }

  #hear(kind: string, reply: string | undefined, data: Uint8Array): void {
    const { connection, self, asked } = this.#options;
    // Answers go to members alone, wherever a question wants them sent.
    if (reply === undefined || !ANSWERS.test(reply) || reply.startsWith(answerSubject(self, ""))) return;
    asked({
      kind,
      data,
      bytesMax: connection.up ? (connection.current().info?.max_payload ?? MESSAGE_BYTES_MAX) : 0,
      answer: (piece) => connection.current().publish(reply, piece),
    });
  }
}

const ANSWERS = new RegExp(
  `^${answerSubject("MEMBER", "NAME")
    .replaceAll(".", "\\.")
    .replace(/MEMBER|NAME/g, "[A-Za-z0-9_-]{1,64}")}$`,
);
