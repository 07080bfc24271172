/** Classifiers of one process that ask each other over a bus of functions, each with memory and clock of its own. */
import { setImmediate as nextTurn } from "node:timers/promises";
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { GuestSample, HostState, Plan, Report, Sample } from "@kvm-governor/policy";
import { BusAwayError, createLogger } from "@kvm-governor/service-kit";
import type { Answered, Question, Questions } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { Answering } from "../facts/answering.ts";
import { Asking } from "../facts/asking.ts";
import { createFactsMetrics } from "../facts/metrics.ts";
import { Others } from "../facts/others.ts";
import { History } from "../history.ts";
import { SeriesStore } from "../series/series.ts";
import { Views } from "../views.ts";
import { sampleOf } from "./samples.ts";

export const START_MS = 1_800_000_000_000;
export const SETTINGS = settingsSchema.parse({ beta: 2 });
/** Where somebody does not answer, and where all do, also on a machine under load. */
export const TIMEOUT_MS = { short: 150, long: 10_000 };

export class Room {
  nowMs = START_MS;
  isAway = false;
  bytesMax = 1024 * 1024;
  /** Kinds of the questions that were asked. */
  readonly asked: string[] = [];
  readonly members = new Map<string, Member>();
  /** Who lives, as the members hear it. */
  living: "here" | "unknown" = "here";
  /** Questions that wait for what comes of them. */
  #open = 0;
  /** What a stranger sends in answer to any question. */
  forged: Uint8Array[] = [];

  /** Waits until no question is open any more, and what came of it is known. */
  async answered(): Promise<void> {
    while (this.#open > 0) await nextTurn();
    await nextTurn();
  }

  /** @returns what came of a question, which is open until then */
  async follow<T>(asking: Promise<T>): Promise<T> {
    this.#open += 1;
    try {
      return await asking;
    } finally {
      this.#open -= 1;
    }
  }

  /** How long answers are waited for. */
  timeoutMs = TIMEOUT_MS.long;

  /** @param skewMs of its clock */
  join(name: string, skewMs = 0): Member {
    const member = new Member(this, name, skewMs);
    this.members.set(name, member);
    return member;
  }
}

export class Member {
  readonly name: string;
  readonly now: () => number;
  readonly registry = new Registry();
  readonly views: Views;
  readonly history: History;
  readonly series: SeriesStore;
  readonly answering: Answering;
  readonly asking: Asking;
  readonly others: Others;
  /** Hears questions, and answers none: as one of an older version. */
  isDeaf = false;
  /** As on the bus: each question goes to all others, answers come later. */
  readonly questions: { open: number; ask: Questions["ask"] };
  readonly errors: unknown[] = [];
  readonly #states = new Map<string, HostState>();

  constructor(room: Room, name: string, skewMs: number) {
    this.name = name;
    const now = () => room.nowMs + skewMs;
    this.now = now;
    this.views = new Views(now);
    this.history = new History(now);
    this.series = new SeriesStore(now, 100);
    const { views, history, series } = this;
    const log = createLogger("test", "silent");
    const metrics = createFactsMetrics(this.registry);
    const clock = (): number => room.nowMs;
    this.answering = new Answering({
      self: name,
      views,
      history,
      series,
      settings: () => SETTINGS,
      startedAtMs: now(),
      metrics,
      log,
      now,
      clock,
    });
    this.questions = { open: 0, ask: (kind, data, answered) => this.#ask(room, kind, data, answered) };
    this.asking = new Asking({
      self: name,
      members: () => (room.living === "unknown" ? undefined : [...room.members.keys()]),
      metrics,
      log,
      now,
      timeoutMs: room.timeoutMs,
      questions: this.questions,
    });
    this.others = new Others({
      asking: { ask: (...question) => room.follow(this.asking.ask(...question)) },
      now,
      keptMax: 16,
      onError: (error) => this.errors.push(error),
    });
  }

  #ask(room: Room, kind: string, data: Uint8Array, answered: Answered): () => void {
    if (room.isAway) throw new BusAwayError("NATS is away");
    room.asked.push(kind);
    let isOpen = true;
    const answer = (piece: Uint8Array): void => {
      setImmediate(() => {
        if (isOpen) answered(piece);
      });
    };
    const question: Question = { kind, data, bytesMax: room.bytesMax, answer };
    for (const other of room.members.values())
      if (other !== this && !other.isDeaf) other.answering.asked(question);
    for (const piece of room.forged) answer(piece);
    return () => (isOpen = false);
  }

  /** One period of a host that this classifier works off. */
  tick(host: string, guests: readonly GuestSample[], rest: Partial<Sample> = {}): Report {
    const before = this.#states.get(host);
    const sample = sampleOf(host, Math.round((this.now() - START_MS) / 1000) + 100, guests, rest);
    const decision = decide(before, sample, SETTINGS);
    if (decision.kind !== "decided") throw new Error("a new sample was taken for a repeated one");
    this.#states.set(host, decision.next);
    const plan: Plan = decision.plan;
    this.views.decided(sample, plan, decision.report);
    this.history.decided(plan, decision.report, before?.plan);
    this.series.decided(sample, plan, decision.report);
    return decision.report;
  }

  /** Value of one counter, by its labels' values. */
  async counted(name: string, labels: Readonly<Record<string, string>>): Promise<number> {
    const metric = await this.registry.getSingleMetric(name)?.get();
    const found = metric?.values.find(({ labels: own }) =>
      Object.entries(labels).every(([label, value]) => own[label] === value),
    );
    return found?.value ?? 0;
  }
}
