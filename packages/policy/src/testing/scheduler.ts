/**
 * A small model of a kernel's scheduler, for closing the loop: fair by weight with slices, `idle` below all others, quotas. Steps
 * of a millisecond; vCPUs run on any CPU. It tells what vCPUs ran and waited, and how often they were switched out while they
 * wanted to run. Not modelled: caches, CPUs alone, wake-ups of less than a millisecond.
 */
import type { Weight } from "../contracts/plan.ts";

/** As EEVDF's base slice on two CPUs and more, rounded. */
const SLICE_MS = 3;
const QUOTA_PERIOD_MS = 100;
const IDLE_WEIGHT = 0.003;

export interface ModelGuest {
  vcpus: number;
  /** Work comes in bursts: means in milliseconds. Without: always runnable. */
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
  sliceLeft: number;
  isRunning: boolean;
  /** Of its burst; Infinity: always. */
  workLeftMs: number;
  gapLeftMs: number;
  budgetMs: number;
  ranMs: number;
  waitedMs: number;
  switchedOut: number;
}

export interface ModelPeriod {
  /** By guest, then by vCPU: parts of the period. */
  uses: { run: number; delay: number }[][];
  /** By guest: how often its vCPUs were switched out while they wanted to run. */
  switchedOut: number[];
}

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
        sliceLeft: 0,
        isRunning: false,
        workLeftMs: bursts === undefined ? Infinity : 0,
        gapLeftMs: 0,
        budgetMs: Infinity,
        ranMs: 0,
        waitedMs: 0,
        switchedOut: 0,
      })),
    );
  }

  /** One check period with guests held so. @param load factor on the bursts' work; 0: services are quiet */
  period(ms: number, holds: readonly ModelHold[], load = 1): ModelPeriod {
    for (const thread of this.#threads) Object.assign(thread, { ranMs: 0, waitedMs: 0, switchedOut: 0 });
    for (let step = 0; step < ms; step++) this.#step(holds, load);
    return {
      uses: this.#guests.map((_, guest) =>
        this.#of(guest).map(({ ranMs, waitedMs }) => ({ run: ranMs / ms, delay: waitedMs / ms })),
      ),
      switchedOut: this.#guests.map((_, guest) =>
        this.#of(guest).reduce((sum, { switchedOut }) => sum + switchedOut, 0),
      ),
    };
  }

  #of(guest: number): Thread[] {
    return this.#threads.filter((thread) => thread.guest === guest);
  }

  #step(holds: readonly ModelHold[], load: number): void {
    const isRefill = this.#nowMs % QUOTA_PERIOD_MS === 0;
    this.#nowMs += 1;
    for (const thread of this.#threads) {
      const quota = holds[thread.guest]?.quota;
      if (isRefill) thread.budgetMs = quota === undefined ? Infinity : quota * QUOTA_PERIOD_MS;
      this.#wake(thread, load);
    }
    const wanting = this.#threads.filter(({ workLeftMs }) => workLeftMs > 0);
    const chosen = this.#choose(
      wanting.filter(({ budgetMs }) => budgetMs > 0),
      holds,
    );
    for (const thread of wanting) {
      const runs = chosen.has(thread);
      if (thread.isRunning && !runs) thread.switchedOut += 1;
      if (!thread.isRunning && runs) thread.sliceLeft = SLICE_MS;
      thread.isRunning = runs;
      if (runs) this.#run(thread, holds);
      else thread.waitedMs += 1;
    }
  }

  /** New work, as random as the seed; what comes back from a gap has no claim on the time that it was away. */
  #wake(thread: Thread, load: number): void {
    const { bursts } = this.#guests[thread.guest] ?? {};
    if (bursts === undefined || thread.workLeftMs > 0) return;
    thread.isRunning = false;
    if (thread.gapLeftMs > 0) {
      thread.gapLeftMs -= 1;
      return;
    }
    thread.workLeftMs = load * Math.round(2 * this.#random() * bursts.busyMs);
    thread.gapLeftMs = Math.round(2 * this.#random() * bursts.gapMs);
    const others = this.#threads.filter((other) => other !== thread && other.workLeftMs > 0);
    if (others.length > 0)
      thread.runtime = Math.max(thread.runtime, Math.min(...others.map(({ runtime }) => runtime)));
  }

  #choose(able: readonly Thread[], holds: readonly ModelHold[]): ReadonlySet<Thread> {
    const isIdle = ({ guest }: Thread): boolean => holds[guest]?.weight === "idle";
    const keeps = ({ isRunning, sliceLeft }: Thread): boolean => isRunning && sliceLeft > 0;
    const order = able.toSorted(
      (a, b) =>
        Number(isIdle(a)) - Number(isIdle(b)) ||
        Number(keeps(b)) - Number(keeps(a)) ||
        a.runtime - b.runtime,
    );
    return new Set(order.slice(0, this.#cpus));
  }

  #run(thread: Thread, holds: readonly ModelHold[]): void {
    const { weight } = holds[thread.guest] ?? { weight: "baseline" };
    const worth = weight === "idle" ? IDLE_WEIGHT : weight === "baseline" ? 1 : weight;
    // A guest's weight is shared by its vCPUs.
    thread.runtime += (this.#guests[thread.guest]?.vcpus ?? 1) / worth;
    thread.ranMs += 1;
    thread.sliceLeft -= 1;
    thread.workLeftMs -= 1;
    thread.budgetMs -= 1;
    if (thread.workLeftMs <= 0) thread.isRunning = false;
  }
}
