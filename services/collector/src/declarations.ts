/** What operators declared, looked up once a guest: rules may be many, and the question comes at every tick. */
import { declaredFor, type Declared } from "@kvm-governor/policy";
import { PolicyFile, PolicyFileError, type Guest } from "@kvm-governor/linux";

export class Declarations {
  readonly #file: PolicyFile;
  #known = new WeakMap<Guest, Declared>();

  /**
   * Reads the policy file.
   * @param file none: no rules
   * @throws {PolicyFileError} it cannot be used: at the start there are no older rules to keep, and without its rules
   * guests that it exempts would be governed
   */
  constructor(file: string | undefined) {
    this.#file = new PolicyFile(file);
    this.#file.read();
  }

  get count(): number {
    return this.#file.rules.rules.length;
  }

  /** A guest that changes is another object, and is looked up again. */
  of(guest: Guest): Declared {
    let declared = this.#known.get(guest);
    if (declared === undefined) this.#known.set(guest, (declared = declaredFor(guest, this.#file.rules)));
    return declared;
  }

  /** Reads the file again. @returns what is wrong with it; then the old rules stay in force */
  reload(): PolicyFileError | undefined {
    try {
      this.#file.read();
      this.#known = new WeakMap();
      return undefined;
    } catch (error) {
      if (error instanceof PolicyFileError) return error;
      throw error;
    }
  }
}
