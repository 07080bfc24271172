/** Hears of changes in a directory from the kernel (inotify(7)), so that nobody has to look. */
import { statSync, watch, type FSWatcher } from "node:fs";
import { errorCode } from "../proc/read.ts";

export class DirectoryWatch implements Disposable {
  readonly #dir: string;
  readonly #onChange: (name: string | null) => void;
  #isMissing = false;
  #watch: FSWatcher | undefined;
  #inode: number | undefined;

  /**
   * Watches nothing before `ensure`.
   * @param onChange called with the entry's name, or null where the kernel does not tell it
   */
  constructor(dir: string, onChange: (name: string | null) => void) {
    this.#dir = dir;
    this.#onChange = onChange;
  }

  /** Whether there was no such directory when it was last asked for: there is nothing in it that could change, then. */
  get isMissing(): boolean {
    return this.#isMissing;
  }

  /**
   * Watches the directory that has this name now: it may come, go and be made anew.
   * @returns whether it is watched; false where there is none, or the kernel refuses (inotify(7), max_user_watches)
   */
  ensure(): boolean {
    const inode = this.#inodeNow();
    if (this.#watch !== undefined && inode === this.#inode) return true;
    this.close();
    if (inode === undefined) return false;
    try {
      this.#watch = watch(this.#dir, { persistent: false }, (_event, name) => this.#onChange(name));
      this.#watch.on("error", () => this.close());
      this.#inode = inode;
      return true;
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      return false;
    }
  }

  close(): void {
    this.#watch?.close();
    this.#watch = undefined;
    this.#inode = undefined;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #inodeNow(): number | undefined {
    try {
      const inode = statSync(this.#dir, { throwIfNoEntry: false })?.ino;
      this.#isMissing = inode === undefined;
      return inode;
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      this.#isMissing = false;
      return undefined;
    }
  }
}
