/**
 * Counts what is lost from the first failure to the next success, so that each outage is said once, not at every tick; and
 * at the second loss, since at a start the first sample is often there before those who take it.
 */
export class Outage {
  #lost = 0;

  /** @returns whether this outage is to be said now */
  add(): boolean {
    return ++this.#lost === 2;
  }

  /** @returns how many were lost */
  end(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }
}
