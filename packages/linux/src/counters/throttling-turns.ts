/**
 * Which ticks read the cpu.stat of a vCPU's group. Most groups never have a quota, and reading that again for each was a quarter of a tick of 400
 * vCPUs (measured). So a group whose bandwidth periods stand still is read less and less often, in turns with others; and at once where its vCPU
 * waited for long in this period, because who is throttled waits (the kernel books it as run delay).
 */

/** Longest time between two reads, in ticks. */
const TURN_TICKS = 8;
/** Who waited for less than this in a period was not throttled for longer. */
const WAITED_NS_MIN = 5e6;

export class ThrottlingTurns {
  /** Ticks that are left out before the next read. */
  #left = 0;
  #wait = 0;
  readonly #phase: number;

  /** @param seed spreads the reads of groups that were found together: any whole number, not the same for all */
  constructor(seed: number) {
    this.#phase = seed % TURN_TICKS;
  }

  /** Once a tick. @param waitedNs run delay of the vCPU in this period */
  isDue(waitedNs: number): boolean {
    return this.#left-- <= 0 || waitedNs >= WAITED_NS_MIN;
  }

  /** After each read. @param hasMoved whether there were bandwidth periods since the one before */
  note(hasMoved: boolean): void {
    const before = this.#wait;
    this.#wait = hasMoved ? 0 : Math.min(TURN_TICKS - 1, before * 2 + 1);
    const isFirstOfLong = this.#wait === TURN_TICKS - 1 && before < this.#wait;
    this.#left = isFirstOfLong ? this.#wait - this.#phase : this.#wait;
  }
}
