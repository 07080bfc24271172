/** How far the wall clocks of other classifiers are from ours, as their answers show. */

/** Closer than this is taken for the same: an answer is on its way for some of it, and times must not flicker. */
const SAME_MS = 1000;
const KNOWN_MAX = 256;

export class Clocks {
  readonly #now: () => number;
  /** Milliseconds to add to another's time, by its name. */
  readonly #shifts = new Map<string, number>();

  /** @param now wall clock in milliseconds */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** @param theirNowMs when it answered, by its own clock @returns milliseconds to add to its times */
  shiftOf(name: string, theirNowMs: number): number {
    const measured = this.#now() - theirNowMs;
    const before = this.#shifts.get(name) ?? 0;
    if (Math.abs(measured - before) < SAME_MS) return before;
    if (this.#shifts.size >= KNOWN_MAX) this.#shifts.clear();
    const shift = Math.abs(measured) < SAME_MS ? 0 : measured;
    this.#shifts.set(name, shift);
    return shift;
  }
}
