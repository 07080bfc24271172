/** What is read, in parts that can fail apart: each has its success and its duration, for the metrics. */

export interface SourceState {
  ok: boolean;
  durationMs: number;
  /** The last failure; undefined: none yet, or it was well since. */
  error: Error | undefined;
  failures: number;
}

/** Times the parts of a tick with the clock it is given (milliseconds, monotonic). */
export class Sources {
  readonly #states = new Map<string, SourceState>();
  readonly #nowMs: () => number;

  constructor(nowMs: () => number) {
    this.#nowMs = nowMs;
  }

  get states(): ReadonlyMap<string, SourceState> {
    return this.#states;
  }

  /**
   * Runs one part. What it throws, or hands to `failed`, is its failure; the other parts go on.
   * @returns what `read` returned, undefined where it threw
   */
  measure<T>(name: string, read: (failed: (error: unknown) => void) => T): T | undefined {
    const state = this.#state(name);
    const from = this.#nowMs();
    let failure: Error | undefined;
    const failed = (error: unknown): void => {
      failure ??= error instanceof Error ? error : new Error(String(error));
      state.failures++;
    };
    let result: T | undefined;
    try {
      result = read(failed);
    } catch (error) {
      failed(error);
    }
    state.durationMs = this.#nowMs() - from;
    state.ok = failure === undefined;
    state.error = failure;
    return result;
  }

  /** The outcome of a part that did not run within a tick. */
  record(name: string, durationMs: number, errors: readonly unknown[]): void {
    this.measure(name, (failed) => errors.forEach(failed));
    this.#state(name).durationMs = durationMs;
  }

  #state(name: string): SourceState {
    let state = this.#states.get(name);
    if (state === undefined) {
      this.#states.set(name, (state = { ok: true, durationMs: 0, error: undefined, failures: 0 }));
    }
    return state;
  }
}
