/**
 * A total that never goes back, fed from a counter of the kernel that can: with a thread that takes another's place it
 * begins again, and what was counted before stays counted. Beside it the amount since the last tick.
 */
export class Total {
  /** Never goes back. */
  value = 0;
  #raw = 0;
  #marked = 0;

  /**
   * Takes the counter's value.
   * @returns false where it went back: then nothing is added
   */
  feed(raw: number): boolean {
    const more = raw - this.#raw;
    this.#raw = raw;
    if (more < 0) return false;
    this.value += more;
    return true;
  }

  /** The counter begins again at 0: another thread, another group. */
  restart(): void {
    this.#raw = 0;
  }

  /** Amount since the last mark. */
  get since(): number {
    return this.value - this.#marked;
  }

  mark(): void {
    this.#marked = this.value;
  }
}
