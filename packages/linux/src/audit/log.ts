/**
 * Appends to `stateDir/audit.jsonl`. Whoever holds the host lock is its only writer. Lines go to the page cache, so that they
 * outlive the process at any moment; the machine's power is another matter: the journal, not the audit, is what restoring rests on.
 */
import { existsSync } from "node:fs";
import { NODE_FILES, type FileLayer } from "../journal/file-layer.ts";
import { auditAges, auditFile } from "./files.ts";
import { encodeAuditRecord, type AuditRecord } from "./records.ts";

export interface AuditOptions {
  stateDir: string;
  /** Size at which a file is put aside, in bytes. Absent: never; for those who write a few lines and end. */
  bytesMax?: number;
  /** Files kept, the present one included. */
  filesMax?: number;
  /** Wall time in milliseconds. */
  nowMs: () => number;
  files?: FileLayer;
  /** A record could not be kept. It is called every time; auditing goes on with the next record. */
  onFailure?: (error: Error) => void;
  /** Records can be kept again. */
  onRecovery?: () => void;
}

export type AuditEntry = Omit<AuditRecord, "time" | "pid">;

export class AuditLog {
  readonly #options: AuditOptions;
  readonly #files: FileLayer;
  #descriptor: number | undefined;
  #length = 0;
  /** The file may end in the middle of a line: the next record begins on a line of its own. */
  #isTorn = false;
  #failing = false;
  #failures = 0;

  constructor(options: AuditOptions) {
    this.#options = options;
    this.#files = options.files ?? NODE_FILES;
  }

  /** Records that could not be kept. */
  get failures(): number {
    return this.#failures;
  }

  /** Never throws: what cannot be recorded is done all the same, and counted. */
  record(entry: AuditEntry): void {
    try {
      this.#append({
        time: new Date(this.#options.nowMs()).toISOString(),
        pid: process.pid,
        ...entry,
      });
    } catch (error) {
      this.#failures++;
      this.#failing = true;
      this.#isTorn = true;
      this.#close();
      this.#options.onFailure?.(error as Error);
      return;
    }
    if (!this.#failing) return;
    this.#failing = false;
    this.#options.onRecovery?.();
  }

  /** Lets go of the file until the next record: one that was moved or removed by hand is then made anew. */
  release(): void {
    this.#close();
  }

  #append(record: AuditRecord): void {
    const text = encodeAuditRecord(record);
    const descriptor = this.#open(text.length);
    const line = Buffer.from(this.#isTorn ? `\n${text}` : text);
    let written = 0;
    while (written < line.length) {
      const count = this.#files.write(descriptor, line.subarray(written));
      written += count;
      this.#length += count;
    }
    this.#isTorn = false;
  }

  #open(bytes: number): number {
    const { stateDir, bytesMax = Infinity } = this.#options;
    if (this.#descriptor !== undefined && this.#length + bytes > bytesMax && this.#length > 0) this.#rotate();
    if (this.#descriptor !== undefined) return this.#descriptor;
    const file = auditFile(stateDir);
    const opened = this.#files.openAppend(file);
    this.#descriptor = opened.descriptor;
    this.#length = opened.length;
    if (opened.length > 0 && !this.#files.endsWithNewline(file)) this.#isTorn = true;
    if (this.#length + bytes <= bytesMax || this.#length === 0) return opened.descriptor;
    this.#rotate();
    return this.#open(bytes);
  }

  /** Oldest first, so that a crash in between leaves a gap in the numbers and loses nothing that was to be kept. */
  #rotate(): void {
    const { stateDir, filesMax = Infinity } = this.#options;
    this.#close();
    let last = 1;
    while (existsSync(auditFile(stateDir, last)) && last < filesMax - 1) last++;
    if (filesMax <= 1) this.#files.remove(auditFile(stateDir));
    for (let age = Math.min(last, filesMax - 1); age > 0; age--) {
      const younger = auditFile(stateDir, age - 1);
      if (existsSync(younger)) this.#files.rename(younger, auditFile(stateDir, age));
    }
    this.#isTorn = false;
    this.#removeOldest();
  }

  /** `filesMax` may have been more once. */
  #removeOldest(): void {
    const { stateDir, filesMax = Infinity } = this.#options;
    if (filesMax === Infinity) return;
    for (const age of auditAges(stateDir)) if (age >= filesMax) this.#files.remove(auditFile(stateDir, age));
  }

  #close(): void {
    if (this.#descriptor !== undefined) this.#files.close(this.#descriptor);
    this.#descriptor = undefined;
  }
}
