/** What an operator wants left alone, as last read. */
import { HandsOff, HandsOffError, readHandsOff } from "@kvm-governor/linux";
import type { Logger } from "@kvm-governor/service-kit";

export class Operator {
  readonly #stateDir: string;
  readonly #log: Logger;
  #last: HandsOff | undefined;
  #problem = "";

  constructor(stateDir: string, log: Logger) {
    this.#stateDir = stateDir;
    this.#log = log;
    this.read();
  }

  get last(): HandsOff | undefined {
    return this.#last;
  }

  /** What cannot be read stands for everything: somebody wanted something left alone, and one cannot tell what. */
  read(): HandsOff | undefined {
    try {
      this.#last = readHandsOff(this.#stateDir);
      this.#problem = "";
    } catch (error) {
      if (!(error instanceof HandsOffError)) throw error;
      this.#last = new HandsOff("all");
      if (this.#problem !== error.message) {
        this.#log.error(
          { event: "hands-off-unreadable", err: error },
          `${error.message}: all guests are left alone`,
        );
      }
      this.#problem = error.message;
    }
    return this.#last;
  }
}
