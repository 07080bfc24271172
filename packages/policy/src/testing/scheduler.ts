/**
 * A small model of a kernel's scheduler, for closing the loop: fair by weight with slices, `idle` below all others, quotas. Steps
 * of a millisecond; vCPUs run on any CPU. Bursts are over when their time is, whatever ran of them, as those of the lab's guests.
 * Not modelled: caches, CPUs alone, wake-ups of less than a millisecond.
 */
import type { Weight } from "../contracts/plan.ts";

/** As EEVDF's base slice on two CPUs and more, rounded. */
const SLICE_MS = 3;
const QUOTA_PERIOD_MS = 100;
const IDLE_WEIGHT = 0.003;

export interface ModelGuest {
  vcpus: number;
  /** Wants to run in bursts: means in milliseconds. Without: always. */
  bursts?: { busyMs: number; gapMs: number };
}

export interface ModelHold {
  weight: Weight;
  /** Cores of each vCPU; undefined: no limit. */
  quota: number | undefined;
}

interface Thread {
  guest: number;
  runtime: number;
  sliceLeftMs: number;
  isRunning: boolean;
  isChosen: boolean;
  /** Infinity: always runnable. */
  burstLeftMs: number;
  gapLeftMs: number;
  budgetMs: number;
  ranMs: number;
  waitedMs: number;
}

/** By guest, then by vCPU: parts of the period. */
export type ModelPeriod = { run: number; delay: number }[][];

/** Even numbers in [0, 1), the same for the same seed (xorshift32). */
export function seededNumbers(seed: number): () => number {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state / 2 ** 32;
  };
}

export class SchedulerModel {
  readonly #cpus: number;
  readonly #guests: readonly ModelGuest[];
  readonly #threads: Thread[];
  readonly #random: () => number;
  #nowMs = 0;

  constructor(cpus: number, guests: readonly ModelGuest[], seed: number) {
    this.#cpus = cpus;
    this.#guests = guests;
    this.#random = seededNumbers(seed);
    this.#threads = guests.flatMap(({ vcpus, bursts }, guest) =>
      Array.from({ length: vcpus }, () => ({
        guest,
        runtime: 0,
        sliceLeftMs: 0,
        isRunning: false,
        isChosen: false,
        burstLeftMs: bursts === undefined ? Infinity : 0,
        gapLeftMs: 0,
        budgetMs: Infinity,
        ranMs: 0,
        waitedMs: 0,
      })),
    );
  }

  /** One check period with guests held so. @param load factor on the length of bursts; 0: services are quiet */
  period(ms: number, holds: readonly ModelHold[], load = 1): ModelPeriod {
    for (const thread of this.#threads) thread.ranMs = thread.waitedMs = 0;
    for (let step = 0; step < ms; step++) this.#step(holds, load);
    return this.#guests.map((_, guest) =>
      this.#threads
        .filter((thread) => thread.guest === guest)
        .map(({ ranMs, waitedMs }) => ({ run: ranMs / ms, delay: waitedMs / ms })),
    );
  }

  #step(holds: readonly ModelHold[], load: number): void {
    const isRefill = this.#nowMs % QUOTA_PERIOD_MS === 0;
    this.#nowMs += 1;
    for (const thread of this.#threads) {
      const quota = holds[thread.guest]?.quota;
      if (isRefill) thread.budgetMs = quota === undefined ? Infinity : quota * QUOTA_PERIOD_MS;
      this.#wake(thread, load);
      thread.isChosen = false;
    }
    for (let cpu = 0; cpu < this.#cpus; cpu++) this.#choose(holds);
    for (const thread of this.#threads) {
      if (thread.burstLeftMs <= 0) continue;
      thread.burstLeftMs -= 1;
      if (thread.isChosen && !thread.isRunning) thread.sliceLeftMs = SLICE_MS;
      thread.isRunning = thread.isChosen;
      if (thread.isChosen) this.#run(thread, holds);
      else thread.waitedMs += 1;
    }
  }

  /** A new burst, as random as the seed; who comes back from a gap has no claim on the time that it was away. */
  #wake(thread: Thread, load: number): void {
    const { bursts } = this.#guests[thread.guest] ?? {};
    if (bursts === undefined || thread.burstLeftMs > 0) return;
    thread.isRunning = false;
    thread.gapLeftMs -= 1;
    if (thread.gapLeftMs > 0) return;
    thread.burstLeftMs = load * Math.round(2 * this.#random() * bursts.busyMs);
    thread.gapLeftMs = Math.round(2 * this.#random() * bursts.gapMs);
    let least = Infinity;
    for (const other of this.#threads)
      if (other !== thread && other.burstLeftMs > 0) least = Math.min(least, other.runtime);
    if (least < Infinity) thread.runtime = Math.max(thread.runtime, least);
  }

  /** Gives one CPU: to no idle guest before all others, to who has a slice left, to who had least. */
  #choose(holds: readonly ModelHold[]): void {
    let best: Thread | undefined;
    for (const thread of this.#threads) {
      if (thread.isChosen || thread.burstLeftMs <= 0 || thread.budgetMs <= 0) continue;
      if (best === undefined || comesBefore(thread, best, holds)) best = thread;
    }
    if (best !== undefined) best.isChosen = true;
  }

  #run(thread: Thread, holds: readonly ModelHold[]): void {
    const { weight } = holds[thread.guest] ?? { weight: "baseline" };
    const worth = weight === "idle" ? IDLE_WEIGHT : weight === "baseline" ? 1 : weight;
    // A guest's weight is shared by its vCPUs.
    thread.runtime += (this.#guests[thread.guest]?.vcpus ?? 1) / worth;
    thread.ranMs += 1;
    thread.sliceLeftMs -= 1;
    thread.budgetMs -= 1;
  }
}

function comesBefore(a: Thread, b: Thread, holds: readonly ModelHold[]): boolean {
  const rank = ({ guest }: Thread): number => Number(holds[guest]?.weight === "idle");
  if (rank(a) !== rank(b)) return rank(a) < rank(b);
  const keeps = ({ isRunning, sliceLeftMs }: Thread): boolean => isRunning && sliceLeftMs > 0;
  return keeps(a) === keeps(b) ? a.runtime < b.runtime : keeps(a);
}
