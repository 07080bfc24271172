/** Descriptors that may be kept open for counters: files and sockets of the service itself must always find room. */

/** Left for everything else: sockets, logs, files that are open for a moment. */
const RESERVE = 128;

export class DescriptorBudget {
  readonly limit: number;
  #used = 0;
  #refused = 0;

  /** @param limit RLIMIT_NOFILE (see `raiseFileLimit`) */
  constructor(limit: number, reserve = RESERVE) {
    this.limit = Math.max(0, limit - reserve);
  }

  get used(): number {
    return this.#used;
  }

  /** How often there was no room. */
  get refused(): number {
    return this.#refused;
  }

  /** @returns false where there is no room: the caller opens its file each time, or does without */
  take(count: number): boolean {
    if (this.#used + count > this.limit) {
      this.#refused++;
      return false;
    }
    this.#used += count;
    return true;
  }

  giveBack(count: number): void {
    this.#used -= count;
  }
}
