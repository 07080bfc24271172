/** Counts what is lost from the first failure to the next success, so that each outage is said once, not at every tick. */
export class Outage {
  #lost = 0;

  /** @returns whether it is the first of this outage */
  add(): boolean {
    return this.#lost++ === 0;
  }

  /** @returns how many were lost */
  end(): number {
    const lost = this.#lost;
    this.#lost = 0;
    return lost;
  }
}
