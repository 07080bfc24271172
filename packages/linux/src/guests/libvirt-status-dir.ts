/** The status files of all libvirt guests, parsed again only when one changed. */
import { readFileSync, statSync } from "node:fs";
import type { Stats } from "node:fs";
import { join } from "node:path";
import { errorCode, isVanished, listIfThere } from "../proc/read.ts";
import { LibvirtStatusError, parseLibvirtStatus } from "./libvirt-status.ts";
import type { LibvirtStatus } from "./libvirt-status.ts";

/** One file: what it says, or why it cannot be read. A changed file is a new object. */
export interface StatusEntry {
  /** Name without `.xml`: the guest's. */
  name: string;
  status?: LibvirtStatus;
  problem?: string;
}

/** libvirt renames each new file over the old one, which the directory shows; whatever writes otherwise is seen by then. */
const LOOK_AT_ALL_US = 5_000_000;
/** Two changes this close to each other can leave the same time on the directory: the kernel's clock of files is a tick of up to 10 ms. */
const SAME_TIME_MS = 50;

export class LibvirtStatusDir {
  readonly #dir: string;
  /** Of the directory, at the last look at all files; undefined: the next look is at all of them, too. */
  #signature: string | undefined;
  #lookedAtUs = -Infinity;
  readonly #files = new Map<string, { signature: string; entry: StatusEntry }>();
  /** Why the directory as a whole cannot be read; undefined where it can, or where there is no libvirt. */
  problem: string | undefined;

  constructor(dir: string) {
    this.#dir = dir;
  }

  /** What is wrong with the metadata of guests that can be read, as of the last change. */
  guestProblems: readonly string[] = [];

  get entries(): StatusEntry[] {
    return [...this.#files.values()].map((file) => file.entry);
  }

  /**
   * Reads what is new or changed.
   * @param nowUs any clock that does not go back, in microseconds
   * @returns whether anything did
   */
  refresh(nowUs: number): boolean {
    const stat = this.#stat();
    const signature = stat && signatureOf(stat);
    const isDue = nowUs - this.#lookedAtUs >= LOOK_AT_ALL_US;
    if (!isDue && signature !== undefined && signature === this.#signature) return false;
    const isChanged = this.#refreshAll();
    if (isChanged) this.guestProblems = this.entries.flatMap(problemOf);
    const isWell = this.problem === undefined && this.entries.every(({ problem }) => problem === undefined);
    const isOld = stat !== undefined && Math.abs(Date.now() - stat.mtimeMs) > SAME_TIME_MS;
    this.#signature = isWell && isOld ? signature : undefined;
    this.#lookedAtUs = nowUs;
    return isChanged;
  }

  #stat(): Stats | undefined {
    try {
      return statSync(this.#dir, { throwIfNoEntry: false });
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      return undefined;
    }
  }

  #refreshAll(): boolean {
    let isChanged = false;
    const names = this.#list();
    const present = new Set(names);
    for (const name of this.#files.keys()) {
      if (!present.has(name)) isChanged = this.#files.delete(name) || isChanged;
    }
    for (const name of names) isChanged = this.#refreshFile(name) || isChanged;
    return isChanged;
  }

  #list(): string[] {
    this.problem = undefined;
    try {
      return (listIfThere(this.#dir) ?? []).filter((name) => name.endsWith(".xml"));
    } catch (error) {
      if (errorCode(error) === undefined) throw error;
      this.problem = `${this.#dir}: ${(error as Error).message}`;
      return [];
    }
  }

  #refreshFile(name: string): boolean {
    const file = join(this.#dir, name);
    const known = this.#files.get(name);
    try {
      const signature = signatureOf(statSync(file));
      if (known?.signature === signature) return false;
      this.#files.set(name, { signature, entry: parseEntry(file, name) });
    } catch (error) {
      if (isVanished(error)) return this.#files.delete(name);
      if (errorCode(error) === undefined) throw error;
      const entry = { name: name.slice(0, -4), problem: `${file}: ${(error as Error).message}` };
      if (known?.entry.problem === entry.problem) return false;
      this.#files.set(name, { signature: "", entry });
    }
    return true;
  }
}

function problemOf({ status }: StatusEntry): string[] {
  return status?.problem === undefined ? [] : [`guest ${JSON.stringify(status.name)}: ${status.problem}`];
}

function parseEntry(file: string, fileName: string): StatusEntry {
  const name = fileName.slice(0, -4);
  try {
    return { name, status: parseLibvirtStatus(readFileSync(file, "utf8")) };
  } catch (error) {
    if (!(error instanceof LibvirtStatusError)) throw error;
    return { name, problem: `${file}: ${error.message}` };
  }
}

// libvirt writes a new file and renames it over the old one: the inode changes even within one tick of the clock.
function signatureOf(stat: Stats): string {
  return `${stat.ino} ${stat.size} ${stat.mtimeMs}`;
}
