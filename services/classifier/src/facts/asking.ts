/** Asks the other classifiers, and gathers what those answer that live, within a bounded time. */
import { BusAwayError } from "@kvm-governor/service-kit";
import type { Logger, Questions } from "@kvm-governor/service-kit";
import { Clocks } from "./clocks.ts";
import { FactsRefusedError, pack, readAnswer } from "./messages.ts";
import type { AnswerOf, Body, QuestionOf, What } from "./messages.ts";
import type { FactsMetrics } from "./metrics.ts";

export interface AskingOptions {
  questions: Pick<Questions, "ask" | "open">;
  /** Names of all classifiers that live; undefined while that is not known. */
  members: () => readonly string[] | undefined;
  self: string;
  metrics: FactsMetrics;
  log: Logger;
  /** Wall clock, milliseconds. */
  now: () => number;
  /** How long answers are waited for, in milliseconds. */
  timeoutMs: number;
}

export interface Piece<W extends What> {
  answer: AnswerOf<W>;
  /** Milliseconds to add to its times. */
  shiftMs: number;
}

export interface Gathered<W extends What> {
  pieces: Piece<W>[];
  /** What was not learnt, in words; empty: all that live have answered. */
  missing: string[];
}

/** Questions that may be open at the same time. */
export const OPEN_MAX = 64;
/** Pieces, and compressed bytes, that one question may bring: the rest is not looked at. */
const PIECES_MAX = 4096;
const BYTES_MAX = 64 * 1024 * 1024;
/** Classifiers that are named where they do not answer. */
const NAMED_MAX = 3;

export class Asking {
  readonly #options: AskingOptions;
  readonly #clocks: Clocks;

  constructor(options: AskingOptions) {
    this.#options = options;
    this.#clocks = new Clocks(options.now);
  }

  /** @param isEnough whether this answer ends it: nobody else knows more */
  async ask<W extends What>(
    what: W,
    question: Body<QuestionOf<W>>,
    isEnough: (answer: AnswerOf<W>) => boolean = () => false,
  ): Promise<Gathered<W>> {
    const { questions, metrics } = this.#options;
    const others = this.#others();
    if (others?.size === 0) return { pieces: [], missing: [] };
    const notAsked = (why: string): Gathered<W> => {
      metrics.asks.inc({ kind: what, outcome: "not-asked" });
      return { pieces: [], missing: [why] };
    };
    if (questions.open >= OPEN_MAX) return notAsked(`${OPEN_MAX} questions to other classifiers are open`);
    try {
      const gathered = await this.#gather(what, await pack(question), others, isEnough);
      metrics.asks.inc({ kind: what, outcome: gathered.missing.length === 0 ? "complete" : "incomplete" });
      return gathered;
    } catch (error) {
      if (!(error instanceof BusAwayError)) throw error;
      return notAsked("NATS is away: other classifiers cannot be asked");
    }
  }

  /** Names of the others; undefined while it is not known who they are. */
  #others(): ReadonlySet<string> | undefined {
    const { members, self } = this.#options;
    const living = members();
    return living === undefined ? undefined : new Set(living.filter((name) => name !== self));
  }

  #gather<W extends What>(
    what: W,
    data: Uint8Array,
    others: ReadonlySet<string> | undefined,
    isEnough: (answer: AnswerOf<W>) => boolean,
  ): Promise<Gathered<W>> {
    const { questions, timeoutMs } = this.#options;
    const gathering = new Gathering<W>(others);
    return new Promise((resolve, reject) => {
      let end = (): void => undefined;
      const finish = (isTooLate: boolean): void => {
        clearTimeout(timer);
        end();
        resolve({ pieces: gathering.pieces, missing: gathering.missing(isTooLate, timeoutMs) });
      };
      const timer = setTimeout(() => finish(true), timeoutMs);
      const take = async (bytes: Uint8Array): Promise<void> => {
        if (!gathering.hasRoomFor(bytes)) return this.#refuse(what, "oversized", "too many pieces");
        try {
          const answer = await readAnswer(what, bytes);
          gathering.add({ answer, shiftMs: this.#clocks.shiftOf(answer.from, answer.nowMs) });
          if (isEnough(answer)) finish(false);
          else if (gathering.isComplete) finish(false);
        } catch (error) {
          if (!(error instanceof FactsRefusedError)) throw error;
          this.#refuse(what, error.reason, error.message);
        }
      };
      try {
        end = questions.ask(what, data, (bytes) => void take(bytes).catch(reject));
      } catch (error) {
        clearTimeout(timer);
        reject(error);
      }
    });
  }

  #refuse(what: What, reason: string, message: string): void {
    this.#options.metrics.refused.inc({ reason });
    this.#options.log.debug({ event: "answer-refused", what, reason }, message);
  }
}

/** What one question has brought so far. */
class Gathering<W extends What> {
  readonly pieces: Piece<W>[] = [];
  readonly #others: ReadonlySet<string> | undefined;
  /** Pieces that are still to come, by who answers. */
  readonly #lacking = new Map<string, number>();
  readonly #problems: string[] = [];
  #count = 0;
  #bytes = 0;

  constructor(others: ReadonlySet<string> | undefined) {
    this.#others = others;
  }

  hasRoomFor(bytes: Uint8Array): boolean {
    this.#count += 1;
    this.#bytes += bytes.length;
    return this.#count <= PIECES_MAX && this.#bytes <= BYTES_MAX;
  }

  add(piece: Piece<W>): void {
    const { from, problem } = piece.answer;
    const all = "pieces" in piece.answer ? piece.answer.pieces : 1;
    this.#lacking.set(from, (this.#lacking.get(from) ?? all) - 1);
    if (problem !== undefined) this.#problems.push(`classifier ${from}: ${problem}`);
    this.pieces.push(piece);
  }

  /** All that live have answered in full. While it is not known who lives, nobody can say that. */
  get isComplete(): boolean {
    return this.#others !== undefined && this.#silent().length === 0;
  }

  missing(isTooLate: boolean, timeoutMs: number): string[] {
    if (!isTooLate) return this.#problems;
    if (this.#others === undefined)
      return [...this.#problems, "it is not known yet which other classifiers there are"];
    const silent = this.#silent();
    const more = silent.length - NAMED_MAX;
    const names = silent.slice(0, NAMED_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
    return [
      ...this.#problems,
      `${silent.length} of ${this.#others.size} other classifiers (${names}) did not answer within ${timeoutMs} ms`,
    ];
  }

  #silent(): string[] {
    return [...(this.#others ?? [])].filter((name) => (this.#lacking.get(name) ?? 1) > 0);
  }
}
