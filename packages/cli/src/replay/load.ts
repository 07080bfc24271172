/**
 * What a guest's load did, told from its samples alone: neither alpha, beta nor the lists play a part.
 *
 * Words: the *level* is the mean of what its vCPUs wanted over five minutes of the wall clock. The load *changes* when the
 * level is 0.3 of its vCPUs or more away from where it was at its last change; before the guest came it was 0. A *spell*
 * is half an hour or more in which every level is busy (0.7 or more) or every level is quiet (below 0.3).
 */

export const LEVEL_MS = 300_000;
export const CHANGE_MIN = 0.3;
export const BUSY_FROM = 0.7;
export const QUIET_BELOW = 0.3;
export const SPELL_MS_MIN = 1_800_000;

/** Mean of what a guest wanted, as part of its vCPUs, over the five minutes that begin at `fromMs`. */
export interface Level {
  fromMs: number;
  mean: number;
}

/** Turns samples into levels. */
export class Levels {
  #bin: number | undefined;
  #weightMs = 0;
  #sum = 0;

  /**
   * Takes one sample: `demand` during the `periodMs` before `endMs`.
   * @returns the level before, where the sample is the first of another one
   */
  add(endMs: number, periodMs: number, demand: number): Level | undefined {
    // By its middle: a sample that ends with a level belongs to it.
    const bin = Math.floor((endMs - periodMs / 2) / LEVEL_MS);
    const done = bin === this.#bin ? undefined : this.end();
    this.#bin = bin;
    this.#weightMs += periodMs;
    this.#sum += demand * periodMs;
    return done;
  }

  /** The level that is not complete yet. */
  end(): Level | undefined {
    if (this.#bin === undefined || this.#weightMs === 0) return undefined;
    const level = { fromMs: this.#bin * LEVEL_MS, mean: this.#sum / this.#weightMs };
    this.#bin = undefined;
    this.#weightMs = 0;
    this.#sum = 0;
    return level;
  }
}

/** Tells from levels when the load changed. */
export class LoadChanges {
  #reference = 0;

  /** @returns whether the load changed with this level */
  add({ mean }: Level): boolean {
    if (Math.abs(mean - this.#reference) < CHANGE_MIN) return false;
    this.#reference = mean;
    return true;
  }
}

export type SpellKind = "busy" | "quiet";

export function spellKind({ mean }: Level): SpellKind | undefined {
  if (mean >= BUSY_FROM) return "busy";
  return mean < QUIET_BELOW ? "quiet" : undefined;
}
