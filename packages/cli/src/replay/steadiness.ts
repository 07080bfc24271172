/**
 * Whether a guest's class was as steady as its load.
 *
 * A *flap* is a move less than an hour after the one before. A move is *unexcused* when it is the n-th of the hour that
 * ends with it, n is 2 or more, and the load changed less than n times in that hour: nobody changes class more than once
 * an hour unless the load did.
 */
import { LEVEL_MS } from "./load.ts";

export const HOUR_MS = 3_600_000;

export class Steadiness {
  moves = 0;
  flaps = 0;
  unexcused = 0;
  loadChanges = 0;
  /** Times of the last two hours at most. */
  #moves: number[] = [];
  #changes: number[] = [];
  /** Moves whose level is not complete: the load may still be found to have changed with it. */
  #open: number[] = [];

  /** @param atMs of the sample that moved it, in order */
  moved(atMs: number): void {
    const last = this.#moves.at(-1);
    if (last !== undefined && atMs - last < HOUR_MS) this.flaps += 1;
    this.moves += 1;
    this.#moves.push(atMs);
    this.#open.push(atMs);
  }

  /** A level is complete. @param fromMs its beginning */
  level(fromMs: number, changed: boolean): void {
    if (changed) {
      this.loadChanges += 1;
      this.#changes.push(fromMs);
    }
    this.#judge(fromMs + LEVEL_MS);
  }

  /** Nothing more comes. */
  end(): void {
    this.#judge(Infinity);
  }

  /** Judges the moves of levels that ended until then. */
  #judge(untilMs: number): void {
    while (this.#open[0] !== undefined && this.#open[0] <= untilMs) {
      if (this.#isUnexcused(this.#open[0])) this.unexcused += 1;
      this.#open.shift();
    }
    const oldest = (this.#open[0] ?? Math.min(untilMs, Number.MAX_SAFE_INTEGER)) - 2 * HOUR_MS;
    while (this.#moves.length > 1 && (this.#moves[0] ?? 0) < oldest) this.#moves.shift();
    while ((this.#changes[0] ?? Infinity) < oldest) this.#changes.shift();
  }

  #isUnexcused(atMs: number): boolean {
    const moves = this.#moves.filter((ms) => ms > atMs - HOUR_MS && ms <= atMs).length;
    if (moves < 2) return false;
    // A level says when its five minutes began: what changed in them may have changed at their end.
    const changes = this.#changes.filter((ms) => ms > atMs - HOUR_MS - LEVEL_MS && ms < atMs).length;
    return changes < moves;
  }
}
