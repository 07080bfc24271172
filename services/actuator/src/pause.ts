/** The time between two turns of a loop, which can be cut short: by the end, or by something that happens. */
export class Pause {
  #end: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  /** When the turn ended that this pause follows, and when the pause ends; milliseconds of performance.now(). */
  #beganAtMs = 0;
  #endsAtMs = 0;
  /** What was asked for while the turn was made, whose pause this is to become. */
  #owed: { ms: number; turnsApartMs: number } | undefined;

  /** Resolves after `ms`, or earlier. An aborted pause is the end of the loop, not an error. */
  wait(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(this.#timer);
        signal.removeEventListener("abort", end);
        this.#end = undefined;
        resolve();
      };
      if (signal.aborted) return resolve();
      signal.addEventListener("abort", end, { once: true });
      this.#end = end;
      this.#beganAtMs = performance.now();
      this.#endAt(this.#beganAtMs + ms);
      if (this.#owed !== undefined) this.cut(this.#owed.ms, this.#owed.turnsApartMs);
      this.#owed = undefined;
    });
  }

  /**
   * Ends the present pause after `ms`, where it would last longer; without one, the next.
   * @param turnsApartMs never earlier than so long after the last turn: what happens often must not make a turn each time
   */
  cut(ms: number, turnsApartMs = 0): void {
    if (this.#end === undefined) {
      if (this.#owed === undefined || ms < this.#owed.ms) this.#owed = { ms, turnsApartMs };
      return;
    }
    const endsAtMs = Math.max(performance.now() + ms, this.#beganAtMs + turnsApartMs);
    if (endsAtMs < this.#endsAtMs) this.#endAt(endsAtMs);
  }

  #endAt(endsAtMs: number): void {
    clearTimeout(this.#timer);
    this.#endsAtMs = endsAtMs;
    // The clock has gone on since the end was worked out: Node warns of a negative time.
    this.#timer = setTimeout(() => this.#end?.(), Math.max(0, endsAtMs - performance.now()));
  }
}
