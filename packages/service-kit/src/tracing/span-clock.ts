/**
 * Wall-clock time for spans, finer than the millisecond that Date.now() gives: the work of a tick is done within a few of them. The
 * fraction comes of the monotonic clock, which is held within the millisecond that the wall clock shows, so that it follows where
 * that is set or slewed.
 */
export class SpanClock {
  readonly #wallMs: () => number;
  readonly #monotonicMs: () => number;
  /** Wall clock minus monotonic clock. */
  #offsetMs = -Infinity;

  constructor(wallMs: () => number = Date.now, monotonicMs: () => number = () => performance.now()) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
  }

  /** Unix time in milliseconds, with a fraction. */
  now(): number {
    const monotonic = this.#monotonicMs();
    const wall = this.#wallMs();
    // The wall clock shows the millisecond that it is in: the time is in [wall, wall + 1).
    this.#offsetMs = Math.min(Math.max(this.#offsetMs, wall - monotonic), wall + MS_BELOW_ONE - monotonic);
    return monotonic + this.#offsetMs;
  }

  /** Monotonic milliseconds, for how long something took. */
  elapsed(): number {
    return this.#monotonicMs();
  }
}

/** A number of this size tells quarters of a microsecond apart. */
const MS_BELOW_ONE = 0.999;
