/** When to try again what failed: soon at first, then ever less often. */

const FIRST_MS = 200;
const LONGEST_MS = 30_000;

interface Failure {
  reason: string;
  nextMs: number;
  waitMs: number;
}

export class BackOff {
  readonly #nowMs: () => number;
  readonly #failures = new Map<string, Failure>();

  /** @param nowMs monotonic time in milliseconds */
  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  /** Whether it is time for something; for another reason than the one it failed for last, it always is. */
  isDue(what: string, reason: string): boolean {
    const failure = this.#failures.get(what);
    return failure === undefined || failure.reason !== reason || this.#nowMs() >= failure.nextMs;
  }

  failed(what: string, reason: string): void {
    const before = this.#failures.get(what);
    const waitMs = before?.reason === reason ? Math.min(LONGEST_MS, 2 * before.waitMs) : FIRST_MS;
    this.#failures.set(what, { reason, waitMs, nextMs: this.#nowMs() + waitMs });
  }

  /** It was done, or there is nothing to do any more. */
  forget(what: string): void {
    this.#failures.delete(what);
  }
}
