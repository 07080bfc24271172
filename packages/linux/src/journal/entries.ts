/** What the journal's records amount to: the baseline of each run of a guest that was touched and not yet given back. */
import type { BaselineRecord, FileBaseline, GuestRun, JournalRecord, ThreadBaseline } from "./records.ts";

/** First values of one run of one guest. */
export interface JournalEntry {
  bootId: string;
  guest: GuestRun;
  mountPoints: readonly string[];
  /** By absolute path. */
  files: Map<string, FileBaseline>;
  /** By thread id. */
  threads: Map<number, ThreadBaseline>;
}

const runKey = ({ uuid, pid, startTime }: GuestRun): string => `${uuid} ${pid} ${startTime}`;

export class JournalEntries {
  readonly #entries = new Map<string, JournalEntry>();

  constructor(records: readonly JournalRecord[] = []) {
    for (const record of records) this.add(record);
  }

  /** The first value of a key stays, until it is rebased: later ones were found after our own writes. */
  add(record: JournalRecord): void {
    const key = runKey(record.guest);
    if (record.type === "closed") {
      this.#entries.delete(key);
      return;
    }
    const entry = this.#entries.get(key) ?? emptyEntry(record);
    this.#entries.set(key, entry);
    for (const file of record.files) {
      // A group that was made anew has first values of its own.
      const isNew = entry.files.get(file.key)?.inode !== file.inode;
      if (isNew || record.type === "rebased") entry.files.set(file.key, file);
    }
    for (const thread of record.threads) {
      const known = entry.threads.get(thread.tid);
      if (known?.startTime !== thread.startTime || record.type === "rebased")
        entry.threads.set(thread.tid, thread);
    }
  }

  get(guest: GuestRun): JournalEntry | undefined {
    return this.#entries.get(runKey(guest));
  }

  all(): JournalEntry[] {
    return [...this.#entries.values()];
  }

  get size(): number {
    return this.#entries.size;
  }
}

function emptyEntry(record: BaselineRecord): JournalEntry {
  const { bootId, guest, mountPoints } = record;
  return { bootId, guest, mountPoints, files: new Map(), threads: new Map() };
}

/** An entry as the one record that says all of it. */
export function recordOf(entry: JournalEntry): BaselineRecord {
  return {
    type: "baseline",
    version: 1,
    bootId: entry.bootId,
    guest: entry.guest,
    mountPoints: entry.mountPoints,
    files: [...entry.files.values()],
    threads: [...entry.threads.values()],
  };
}
