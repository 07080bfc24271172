/**
 * Wall-clock time for spans, finer than the millisecond that Date.now() gives: the work of a tick is done within a few of them. The
 * fraction comes of the monotonic clock, which is held within the millisecond that the wall clock shows, so that it follows where
 * that is set or slewed.
 */
export class SpanClock {
  readonly #wallMs: () => number;
  readonly #monotonicMs: () => number;
  #offsetMs = -Infinity;

  constructor(wallMs: () => number = Date.now, monotonicMs: () => number = () => performance.now()) {
    this.#wallMs = wallMs;
    this.#monotonicMs = monotonicMs;
  }

  /**
   * Wall clock minus monotonic clock, in milliseconds, as known now. Who measures several things against each other asks once for all of
   * them.
   */
  offset(): number {
    const monotonic = this.#monotonicMs();
    const wall = this.#wallMs();
    // The wall clock shows the millisecond that it is in: the time is in [wall, wall + 1).
    this.#offsetMs = Math.min(Math.max(this.#offsetMs, wall - monotonic), wall + MS_BELOW_ONE - monotonic);
    return this.#offsetMs;
  }

  /** Unix time in milliseconds, with a fraction. @param offsetMs as asked before */
  now(offsetMs = this.offset()): number {
    return this.#monotonicMs() + offsetMs;
  }
}

/** A number of the size of today's time tells quarters of a microsecond apart. */
const MS_BELOW_ONE = 0.999;
