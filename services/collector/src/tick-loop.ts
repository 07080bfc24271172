/**
 * Runs something once in every period, on the multiples of the period of the clock it is given: it never drifts, and a
 * tick that was missed is left out, not made up for.
 */

export interface TickClock {
  /** Milliseconds with fractions, never going back. */
  nowMs: () => number;
  setTimer: (run: () => void, delayMs: number) => unknown;
  clearTimer: (timer: unknown) => void;
}

export interface TickLoopOptions {
  periodMs: number;
  /** One tick. Must not throw. @param lateMs how long after its time it began */
  onTick: (lateMs: number) => void;
  /** Ticks that fell due while one ran, or while the process did not. */
  onMissed: (ticks: number) => void;
  clock: TickClock;
}

/** A timer may fire this much early, because it counts whole milliseconds. */
const EARLY_MS = 1;

export class TickLoop {
  readonly #options: TickLoopOptions;
  #timer: unknown;
  #dueMs = 0;

  constructor(options: TickLoopOptions) {
    this.#options = options;
  }

  /** The first tick is the next multiple of the period. */
  start(): void {
    const { clock, periodMs } = this.#options;
    this.#dueMs = (Math.floor(clock.nowMs() / periodMs) + 1) * periodMs;
    this.#wait();
  }

  stop(): void {
    this.#options.clock.clearTimer(this.#timer);
    this.#timer = undefined;
  }

  #wait(): void {
    const { clock } = this.#options;
    this.#timer = clock.setTimer(() => this.#run(), Math.max(0, this.#dueMs - clock.nowMs()));
  }

  #run(): void {
    const { clock, periodMs, onTick, onMissed } = this.#options;
    const startedMs = clock.nowMs();
    if (startedMs < this.#dueMs - EARLY_MS) return this.#wait();
    onTick(Math.max(0, startedMs - this.#dueMs));
    if (this.#timer === undefined) return;
    // At least one period on, also where this tick began a little early.
    const nextMs = Math.max(this.#dueMs + periodMs, (Math.floor(clock.nowMs() / periodMs) + 1) * periodMs);
    const missed = Math.round((nextMs - this.#dueMs) / periodMs) - 1;
    if (missed > 0) onMissed(missed);
    this.#dueMs = nextMs;
    this.#wait();
  }
}

/** The clock and the timers of this process. */
export function tickClock(nowMs: () => number): TickClock {
  return {
    nowMs,
    setTimer: (run, delayMs) => setTimeout(run, delayMs),
    clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
  };
}
