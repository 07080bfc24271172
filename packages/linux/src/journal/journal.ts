/**
 * The journal of first values: `stateDir/journal`. A value is in it, on the disk, before anything is written over it. Whoever
 * holds the host lock is its only writer.
 */
import { join } from "node:path";
import { readBytesIfThere } from "../proc/read.ts";
import { NODE_FILES, type FileLayer } from "./file-layer.ts";
import { JournalEntries, recordOf, type JournalEntry } from "./entries.ts";
import type { HoldingMark, MarkedRun } from "./holding-mark.ts";
import { encodeRecord, JOURNAL_VERSION, parseJournal } from "./records.ts";
import type { BaselineRecord, ClosedRecord, GuestRun, JournalDamage, ParsedJournal } from "./records.ts";

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

/** A later version wrote the journal. What it holds is not known here: nothing of it is used, and nothing is changed. */
export class LaterJournalError extends JournalError {
  constructor(file: string, version: number) {
    const what = `${file} is of version ${version}, this program knows ${JOURNAL_VERSION}`;
    super(
      "reading",
      new Error(`${what}: "kvmgov restore" of the release that wrote it gives its guests back`),
    );
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
  readonly #files: FileLayer;
  #mark: HoldingMark | undefined;
  /** Runs that are marked as held although their first values were lost: they stay marked until a restore has seen to them. */
  #lost: readonly MarkedRun[] = [];
  #descriptor: number | undefined;
  #length: number;
  #records: number;
  /** Half a line may stand at the end: it must go before the next one, which would be unreadable behind it. */
  #isTorn = false;

  /**
   * Opens or makes the journal in a directory. Damage is said in `opening`; the intact records are used and the file as
   * it was found is kept aside.
   * @param stamp of the name under which a damaged journal is kept
   * @throws {LaterJournalError | JournalError}
   */
  constructor(stateDir: string, stamp: () => number, files: FileLayer = NODE_FILES) {
    this.#files = files;
    this.#dir = stateDir;
    this.#file = journalFile(stateDir);
    const { bytes, parsed } = readJournal(stateDir);
    this.#entries = new JournalEntries(parsed.records);
    this.#records = parsed.records.length;
    this.#length = bytes.length;
    this.opening = { damage: parsed.damage };
    if (parsed.damage.length === 0) return;
    const keptAside = join(stateDir, `journal.damaged-${stamp()}`);
    guarded("keeping the damaged journal aside", () => this.#writeDurably(keptAside, bytes));
    this.opening = { damage: parsed.damage, keptAside };
    this.#rewrite();
  }

  /**
   * Keeps the mark in step: a run is named in it after its first value is on the disk, and taken out before that goes, so that a crash
   * in between never looks like a lost journal.
   */
  attach(mark: HoldingMark): void {
    this.#mark = mark;
    this.#lost = mark.missingIn(this.#entries.all().map(({ guest }) => guest));
    this.#tellMark();
  }

  entry(guest: GuestRun): JournalEntry | undefined {
    return this.#entries.get(guest);
  }

  /** How many runs of guests it holds first values of. */
  get size(): number {
    return this.#entries.size;
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
    this.#tellMark();
  }

  /**
   * Puts other first values in the place of those kept, on the disk when it returns.
   * @throws {JournalError}
   */
  rebase(record: Omit<BaselineRecord, "type" | "version">): void {
    this.#append({ type: "rebased", version: JOURNAL_VERSION, ...record });
  }

  /**
   * Says that the baseline of a run is no longer needed. Without any left the file is removed.
   * @throws {JournalError} the run is still in it
   */
  close(guest: GuestRun, why: ClosedRecord["why"]): void {
    const entry = this.#entries.get(guest);
    if (entry === undefined) return;
    this.#tellMark(entry);
    if (this.#entries.size === 1) {
      this.#remove();
      this.#entries.add({ type: "closed", version: JOURNAL_VERSION, guest, why });
      return;
    }
    this.#append({ type: "closed", version: JOURNAL_VERSION, guest, why });
    if (this.#records > COMPACT_AT_RECORDS && this.#records > 4 * this.#entries.size) this.#rewrite();
  }

  /** Closes the descriptor; the file stays where entries are left. */
  dispose(): void {
    if (this.#descriptor !== undefined) this.#files.close(this.#descriptor);
    this.#descriptor = undefined;
  }

  #tellMark(without?: JournalEntry): void {
    if (this.#mark === undefined) return;
    const kept = this.#entries.all().flatMap((entry) => (entry === without ? [] : entry.guest));
    this.#mark.update([...this.#lost, ...kept]);
  }

  #append(record: BaselineRecord | ClosedRecord): void {
    guarded("appending", () => {
      const descriptor = this.#open();
      if (this.#isTorn) this.#files.truncate(descriptor, this.#length);
      this.#isTorn = true;
      const line = Buffer.from(encodeRecord(record));
      try {
        let written = 0;
        while (written < line.length) written += this.#files.write(descriptor, line.subarray(written));
        this.#files.sync(descriptor);
      } catch (error) {
        this.#files.truncate(descriptor, this.#length);
        this.#isTorn = false;
        throw error;
      }
      this.#isTorn = false;
      this.#length += line.length;
      this.#records++;
    });
    this.#entries.add(record);
  }

  #open(): number {
    if (this.#descriptor !== undefined) return this.#descriptor;
    const { descriptor, length } = this.#files.openAppend(this.#file);
    this.#descriptor = descriptor;
    // Shorter where removing it was begun and failed in the middle: nothing is there then to be cut back to.
    this.#length = Math.min(this.#length, length);
    this.#files.syncDirectory(this.#dir);
    return descriptor;
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
      this.#writeDurably(`${this.#file}.new`, bytes);
      this.#files.rename(`${this.#file}.new`, this.#file);
      this.#files.syncDirectory(this.#dir);
    });
    this.#length = bytes.length;
    this.#records = this.#entries.size;
  }

  #remove(): void {
    this.dispose();
    guarded("removing", () => {
      this.#files.remove(this.#file);
      this.#files.syncDirectory(this.#dir);
    });
    this.#length = 0;
    this.#records = 0;
  }

  #writeDurably(file: string, bytes: Buffer): void {
    this.#files.writeWhole(file, bytes);
    this.#files.syncDirectory(this.#dir);
  }
}

export const journalFile = (stateDir: string): string => join(stateDir, "journal");

/**
 * What the journal in a directory holds now, for those who only look: its writer may be at work on it.
 * @throws {LaterJournalError | JournalError}
 */
export function readJournalEntries(stateDir: string): JournalEntry[] {
  return new JournalEntries(readJournal(stateDir).parsed.records).all();
}

/** A journal as bytes and as records, without any where there is no file. @throws {LaterJournalError | JournalError} */
export function readJournal(stateDir: string): { bytes: Buffer; parsed: ParsedJournal } {
  const file = journalFile(stateDir);
  // Its writer may remove it at any moment, when it has given everything back.
  const bytes = guarded("reading", () => readBytesIfThere(file) ?? Buffer.alloc(0));
  const parsed = parseJournal(bytes);
  if (parsed.later !== undefined) throw new LaterJournalError(file, parsed.later);
  return { bytes, parsed };
}

function guarded<T>(what: string, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    throw new JournalError(what, cause);
  }
}
