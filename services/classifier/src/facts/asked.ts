/** One question that is asked again and again, at most once in a time, and only while somebody looks. */

export interface AskedOptions<T> {
  /** @param before what the last answer came to, while it is recent enough to be shown */
  ask: (before: T | undefined) => Promise<T>;
  /** How long an answer is not asked for again, in milliseconds. */
  everyMs: () => number;
  /** Wall clock, milliseconds. */
  now: () => number;
  onError: (error: unknown) => void;
}

/** An answer that was not asked for again in this time is not shown any more: nobody looked. */
export const KEPT_MS = 10_000;

export class Asked<T> {
  readonly #options: AskedOptions<T>;
  #last: { value: T; atMs: number } | undefined;
  #running: Promise<T> | undefined;

  constructor(options: AskedOptions<T>) {
    this.#options = options;
  }

  /** As of the last answer: the next one is asked for, not waited for. */
  look(): T | undefined {
    if (!this.#isFresh()) this.#ask().catch((error: unknown) => this.#options.onError(error));
    return this.recent;
  }

  /** Waits for the answer, where the last one is not fresh. */
  async get(): Promise<T> {
    return this.#last !== undefined && this.#isFresh() ? this.#last.value : this.#ask();
  }

  /** The last answer, while it is recent enough to be shown. Asks nobody. */
  get recent(): T | undefined {
    const last = this.#last;
    return last !== undefined && this.#options.now() - last.atMs <= KEPT_MS ? last.value : undefined;
  }

  /** Whether the first answer is still to come. */
  get isPending(): boolean {
    return this.#running !== undefined && this.recent === undefined;
  }

  #isFresh(): boolean {
    return this.#last !== undefined && this.#options.now() - this.#last.atMs < this.#options.everyMs();
  }

  /** Whoever asks while an answer is on its way gets that one. */
  #ask(): Promise<T> {
    this.#running ??= this.#askOnce().finally(() => (this.#running = undefined));
    return this.#running;
  }

  async #askOnce(): Promise<T> {
    const { ask, now } = this.#options;
    const value = await ask(this.recent);
    this.#last = { value, atMs: now() };
    return value;
  }
}
