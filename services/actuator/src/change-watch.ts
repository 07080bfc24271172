/**
 * Hears at once of what a turn of the loop would find: that libvirt was told to change a guest, and what an operator wants left
 * alone. So turns need not be made to look for it.
 */
import { basename } from "node:path";
import { DirectoryWatch, handsOffFile } from "@kvm-governor/linux";

export class ChangeWatch implements Disposable {
  readonly #watches: readonly DirectoryWatch[];
  #heard: () => void = () => undefined;

  /** Watches nothing before `ensure`. */
  constructor({ libvirtRunDir, stateDir }: { libvirtRunDir: string; stateDir: string }) {
    const handsOff = basename(handsOffFile(stateDir));
    this.#watches = [
      new DirectoryWatch(libvirtRunDir, () => this.#heard()),
      // The journal and the audit are in it, too.
      new DirectoryWatch(stateDir, (name) => {
        if (name === null || name === handsOff) this.#heard();
      }),
    ];
  }

  /** Calls back, in place of whom it called before. */
  onChange(heard: () => void): void {
    this.#heard = heard;
  }

  /**
   * Watches the directories that have these names now. To be called before each look at what is in them.
   * @returns whether all changes are heard of; false where the kernel refuses (inotify(7), max_user_instances)
   */
  ensure(): boolean {
    return this.#watches.map((watch) => watch.ensure() || watch.isMissing).every(Boolean);
  }

  [Symbol.dispose](): void {
    for (const watch of this.#watches) watch.close();
  }
}
