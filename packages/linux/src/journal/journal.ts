/**
 * The journal of first values: `stateDir/journal`. A value is in it, on the disk, before anything is written over it. Whoever
 * holds the host lock is its only writer.
 */
import { closeSync, existsSync, fsyncSync, ftruncateSync, mkdirSync, openSync } from "node:fs";
import { readFileSync, renameSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { JournalEntries, recordOf, type JournalEntry } from "./entries.ts";
import type { HoldingMark } from "./holding-mark.ts";
import { encodeRecord, JOURNAL_VERSION, parseJournal } from "./records.ts";
import type { BaselineRecord, ClosedRecord, GuestRun, JournalDamage } from "./records.ts";

/** The journal could not be written or read: nothing may be written to the kernel then. */
export class JournalError extends Error {
  override readonly name = "JournalError";
  readonly code: string | undefined;
  constructor(what: string, cause: unknown) {
    const { code, message } = cause as NodeJS.ErrnoException;
    super(`journal: ${what}: ${message}`, { cause });
    this.code = code;
  }
}

export interface JournalOpening {
  /** Damaged parts that were found, and the file that keeps the journal as it was found. */
  damage: readonly JournalDamage[];
  keptAside?: string;
}

/** Records above which a journal that is mostly closed entries is rewritten. */
const COMPACT_AT_RECORDS = 1000;

export class Journal {
  readonly opening: JournalOpening;
  readonly #dir: string;
  readonly #file: string;
  readonly #entries: JournalEntries;
  #mark: HoldingMark | undefined;
  #descriptor: number | undefined;
  #length: number;
  #records: number;

  /**
   * Opens or makes the journal in a directory. Damage is said in `opening`; the intact records are used and the file as
   * it was found is kept aside.
   * @param stamp of the name under which a damaged journal is kept
   * @throws {JournalError}
   */
  constructor(stateDir: string, stamp: () => number) {
    this.#dir = stateDir;
    this.#file = journalFile(stateDir);
    const bytes = readJournalBytes(stateDir);
    const parsed = parseJournal(bytes);
    this.#entries = new JournalEntries(parsed.records);
    this.#records = parsed.records.length;
    this.#length = bytes.length;
    this.opening = { damage: parsed.damage };
    if (parsed.damage.length === 0) return;
    const keptAside = join(stateDir, `journal.damaged-${stamp()}`);
    guarded("keeping the damaged journal aside", () => writeDurably(keptAside, bytes, stateDir));
    this.opening = { damage: parsed.damage, keptAside };
    this.#rewrite();
  }

  /**
   * Keeps the mark in step: set after the first value is on the disk, cleared before the last one goes, so that a crash in
   * between never looks like a lost journal.
   */
  attach(mark: HoldingMark): void {
    this.#mark = mark;
    if (this.#entries.size > 0) mark.set();
  }

  entry(guest: GuestRun): JournalEntry | undefined {
    return this.#entries.get(guest);
  }

  entries(): JournalEntry[] {
    return this.#entries.all();
  }

  /**
   * Keeps first values, on the disk when it returns.
   * @throws {JournalError} then nothing may be written to the guest
   */
  keep(record: Omit<BaselineRecord, "type" | "version">): void {
    const whole: BaselineRecord = { type: "baseline", version: JOURNAL_VERSION, ...record };
    this.#append(whole);
    this.#mark?.set();
  }

  /** Says that the baseline of a run is no longer needed. Without any left the file is removed. */
  close(guest: GuestRun, why: ClosedRecord["why"]): void {
    if (this.#entries.get(guest) === undefined) return;
    if (this.#entries.size === 1) {
      this.#mark?.clear();
      this.#entries.add({ type: "closed", version: JOURNAL_VERSION, guest, why });
      this.#remove();
      return;
    }
    this.#append({ type: "closed", version: JOURNAL_VERSION, guest, why });
    if (this.#records > COMPACT_AT_RECORDS && this.#records > 4 * this.#entries.size) this.#rewrite();
  }

  /** Closes the descriptor; the file stays where entries are left. */
  dispose(): void {
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }

  #append(record: BaselineRecord | ClosedRecord): void {
    guarded("appending", () => {
      const descriptor = this.#open();
      const line = Buffer.from(encodeRecord(record));
      try {
        let written = 0;
        while (written < line.length) written += writeSync(descriptor, line, written);
        fsyncSync(descriptor);
      } catch (error) {
        // Half a line would make the next one unreadable.
        ftruncateSync(descriptor, this.#length);
        throw error;
      }
      this.#length += line.length;
      this.#records++;
    });
    this.#entries.add(record);
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 });
    this.#descriptor = openSync(this.#file, "a", 0o600);
    syncDirectory(this.#dir);
    return this.#descriptor;
  }

  #rewrite(): void {
    if (this.#entries.size === 0) {
      this.#remove();
      return;
    }
    this.dispose();
    const bytes = Buffer.from(
      this.#entries
        .all()
        .map((entry) => encodeRecord(recordOf(entry)))
        .join(""),
    );
    guarded("rewriting", () => {
      writeDurably(`${this.#file}.new`, bytes, this.#dir);
      renameSync(`${this.#file}.new`, this.#file);
      syncDirectory(this.#dir);
    });
    this.#length = bytes.length;
    this.#records = this.#entries.size;
  }

  #remove(): void {
    this.dispose();
    guarded("removing", () => {
      rmSync(this.#file, { force: true });
      if (existsSync(this.#dir)) syncDirectory(this.#dir);
    });
    this.#length = 0;
    this.#records = 0;
  }
}

export const journalFile = (stateDir: string): string => join(stateDir, "journal");

/** Bytes of a journal, none where there is no file. @throws {JournalError} */
export function readJournalBytes(stateDir: string): Buffer {
  const file = journalFile(stateDir);
  return guarded("reading", () => (existsSync(file) ? readFileSync(file) : Buffer.alloc(0)));
}

function guarded<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new JournalError(what, cause);
  }
}

function writeDurably(file: string, bytes: Buffer, dir: string): void {
  writeFileSync(file, bytes, { mode: 0o600, flush: true });
  syncDirectory(dir);
}

/** A new name is on the disk only when its directory is. */
function syncDirectory(dir: string): void {
  const descriptor = openSync(dir, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
