/**
 * Answers what other classifiers ask about the hosts that this one works off. One question at a time, in pieces of a few
 * milliseconds with room for ticks between them; what is too much is not answered, and counted.
 */
import { setImmediate as nextTurn } from "node:timers/promises";
import { hostLine } from "@kvm-governor/console";
import type { ConsoleSource } from "@kvm-governor/console";
import type { Logger, Question } from "@kvm-governor/service-kit";
import type { History } from "../history.ts";
import type { SeriesStore } from "../series/series.ts";
import { guestReport, lastHeardMs } from "../views.ts";
import type { HostView, Views } from "../views.ts";
import { findGuests } from "./find.ts";
import { FactsRefusedError, isWhat, LINES_A_PIECE, pack, PIECES_MAX, readQuestion } from "./messages.ts";
import type { AnswerOf, QuestionOf, What } from "./messages.ts";
import type { FactsMetrics } from "./metrics.ts";
import { ALARMS_MAX } from "./schemas.ts";
import { wireFacts } from "./wire.ts";

export interface AnsweringOptions {
  /** Own name. */
  self: string;
  views: Views;
  history: Pick<History, "of">;
  series: Pick<SeriesStore, "watch">;
  settings: ConsoleSource["settings"];
  startedAtMs: number;
  metrics: FactsMetrics;
  log: Logger;
  /** Wall clock, milliseconds. */
  now: () => number;
  /** Monotonic clock, milliseconds. */
  clock: () => number;
}

/** Questions that wait; more are not answered. */
export const WAITING_MAX = 64;
/** The answer about the fleet is the same for all who ask within this time. */
const SHARED_MS = 500;
const WRITES_GUESTS_MAX = 4096;

export class Answering {
  readonly #options: AnsweringOptions;
  readonly #waiting: Question[] = [];
  #isRunning = false;
  #fleet: { madeAtMs: number; pieces: Uint8Array[] } | undefined;

  constructor(options: AnsweringOptions) {
    this.#options = options;
  }

  /** Takes a question; answers it later. */
  asked(question: Question): void {
    const kind = isWhat(question.kind) ? question.kind : "other";
    if (this.#waiting.length >= WAITING_MAX)
      return this.#options.metrics.answers.inc({ kind, outcome: "busy" });
    this.#waiting.push(question);
    if (!this.#isRunning) void this.#run();
  }

  async #run(): Promise<void> {
    this.#isRunning = true;
    for (let question = this.#waiting.shift(); question !== undefined; question = this.#waiting.shift()) {
      await this.#answer(question);
      await nextTurn();
    }
    this.#isRunning = false;
  }

  async #answer(question: Question): Promise<void> {
    const { kind } = question;
    const { metrics, log } = this.#options;
    // Of a later version: whoever asks hears that nobody answers.
    if (!isWhat(kind)) return metrics.answers.inc({ kind: "other", outcome: "refused" });
    try {
      const outcome = await this.#send(kind, question);
      metrics.answers.inc({ kind, outcome });
    } catch (error) {
      const isRefused = error instanceof FactsRefusedError;
      metrics.answers.inc({ kind, outcome: isRefused ? "refused" : "failed" });
      const message = `a question for ${kind} was not answered: ${(error as Error).message}`;
      if (isRefused) log.debug({ event: "question-refused", what: kind, reason: error.reason }, message);
      else log.warn({ event: "answer-failed", what: kind, err: error }, message);
    }
  }

  async #send(what: What, question: Question): Promise<"sent" | "too-large"> {
    const { pieces, empty } = await this.#work(what, question.data);
    if (pieces.every(({ length }) => length <= question.bytesMax)) {
      for (const piece of pieces) question.answer(piece);
      return "sent";
    }
    const problem = `its answer is larger than a message of NATS may be (${question.bytesMax} bytes)`;
    question.answer(await this.#packed(what, () => ({ ...empty, problem })));
    return "too-large";
  }

  /** @returns the answer in pieces; and the body of one that says nothing */
  async #work(what: What, data: Uint8Array): Promise<{ pieces: Uint8Array[]; empty: object }> {
    if (what === "fleet") {
      await readQuestion("fleet", data);
      return { pieces: await this.#fleetPieces(), empty: { pieces: 1, lines: [] } };
    }
    if (what === "find") {
      const { guest } = await readQuestion("find", data);
      const piece = await this.#packed("find", () => findGuests(guest, this.#options.views));
      return { pieces: [piece], empty: { guests: [], more: 0 } };
    }
    const question = await readQuestion("host", data);
    const piece = await this.#packed("host", () => this.#host(question));
    return { pieces: [piece], empty: { host: question.host } };
  }

  /** Makes the bytes of one message: what it holds by `make`, in one go; compressing does not hold up anybody. */
  #packed(what: What, make: () => object): Promise<Uint8Array> {
    const { self, now, clock, metrics } = this.#options;
    const from = clock();
    const packing = pack({ from: self, nowMs: now(), ...make() });
    metrics.answerSeconds.observe({ kind: what }, (clock() - from) / 1000);
    return packing;
  }

  #host({ host, guest, writes }: QuestionOf<"host">): object {
    const { views, history, series } = this.#options;
    const view = views.get(host);
    if (view === undefined || !isOwn(view)) return { host };
    // A stranger's UUID must not push out a guest whose course is kept.
    const isKnown = guest !== undefined && guestReport(view.tick, guest) !== undefined;
    const about =
      guest === undefined
        ? undefined
        : {
            history: history.of(host, guest),
            series: isKnown ? series.watch(host, guest) : { fine: [], coarse: [], isFollowed: true },
          };
    const uuids = writes === true ? (view.tick?.plan.guests ?? []).map(({ uuid }) => uuid) : [];
    const ofGuests = uuids.slice(0, WRITES_GUESTS_MAX).map((uuid) => {
      const { writes: made, wouldWrite, skipped } = history.of(host, uuid);
      return { uuid, writes: made, wouldWrite, skipped };
    });
    return { host, facts: wireFacts(view), guest: about, writes: writes === true ? ofGuests : undefined };
  }

  async #fleetPieces(): Promise<Uint8Array[]> {
    const { clock } = this.#options;
    const madeAtMs = clock();
    if (this.#fleet !== undefined && madeAtMs - this.#fleet.madeAtMs < SHARED_MS) return this.#fleet.pieces;
    const own = [...this.#options.views.entries()].filter(([, view]) => isOwn(view));
    const total = Math.min(PIECES_MAX, Math.max(1, Math.ceil(own.length / LINES_A_PIECE)));
    const pieces: Uint8Array[] = [];
    for (let at = 0; at < total; at++) {
      const hosts = own.slice(at * LINES_A_PIECE, (at + 1) * LINES_A_PIECE);
      pieces.push(await this.#packed("fleet", () => ({ pieces: total, lines: this.#lines(hosts) })));
      await nextTurn();
    }
    this.#fleet = { madeAtMs, pieces };
    return pieces;
  }

  #lines(hosts: readonly [string, HostView][]): AnswerOf<"fleet">["lines"] {
    const { startedAtMs, settings, now } = this.#options;
    const context = { startedAtMs, settings, now, isAskedFor: () => false };
    return hosts.map(([id, view]) => {
      const { row, alarms } = hostLine(id, view, context);
      return { id, row, alarms: alarms.slice(0, ALARMS_MAX), lastHeardMs: lastHeardMs(view) };
    });
  }
}

/** What a host announced is heard by everybody: of its own work this classifier has more. */
const isOwn = ({ tick, applied }: HostView): boolean => tick !== undefined || applied !== undefined;
