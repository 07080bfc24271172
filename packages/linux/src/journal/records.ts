/**
 * Lines of the journal: `CHECKSUM JSON`, CRC-32 of the JSON's bytes as 8 hexadecimal digits. A line is written whole or counts as
 * damaged; each stands for itself, so that what is intact after a damaged one still serves.
 */
import { crc32 } from "node:zlib";
import type { Setting } from "../controls/write.ts";

export const JOURNAL_VERSION = 1;

/** One run of one guest. */
export interface GuestRun {
  uuid: string;
  name: string;
  pid: number;
  /** Clock ticks after boot. */
  startTime: number;
}

/** First value found in one control file. */
export interface FileBaseline {
  /** Absolute path. */
  key: string;
  version: 1 | 2;
  /** Inode of the group's directory: a group made anew under the same name has another. */
  inode: number;
  target: string;
  setting: Setting;
  /** All bytes of the file, the newline included. */
  raw: string;
  /** Systemd unit through which it is set. */
  unit?: string;
  /** All bytes of the drop-in that the unit had for it; absent where it had none. */
  dropIn?: string;
}

/** First affinity found of one thread. */
export interface ThreadBaseline {
  tid: number;
  /** Clock ticks after boot: a thread id that was used again has another. */
  startTime: number;
  target: string;
  /** CPU list. */
  cpus: string;
  /** When its affinity was first written, in clock ticks after boot: threads that it made since then began with what was written. */
  heldSince?: number;
}

export interface BaselineRecord {
  /** `rebased`: takes the place of first values that were kept before. */
  type: "baseline" | "rebased";
  version: typeof JOURNAL_VERSION;
  bootId: string;
  guest: GuestRun;
  mountPoints: readonly string[];
  files: readonly FileBaseline[];
  threads: readonly ThreadBaseline[];
}

/** The baseline of one run of a guest is no longer needed. */
export interface ClosedRecord {
  type: "closed";
  version: typeof JOURNAL_VERSION;
  guest: GuestRun;
  why: "restored" | "gone";
}

export type JournalRecord = BaselineRecord | ClosedRecord;

export function encodeRecord(record: JournalRecord): string {
  const json = JSON.stringify(record);
  return `${checksum(json)} ${json}\n`;
}

const checksum = (json: string): string => crc32(json).toString(16).padStart(8, "0");

/** A part of the journal that does not read as it was written. */
export interface JournalDamage {
  /** Byte offset in the file. */
  offset: number;
  bytes: number;
  /** `torn`: the end of the last line was never written. `corrupt`: a checksum is wrong. */
  kind: "torn" | "corrupt";
}

export interface ParsedJournal {
  records: JournalRecord[];
  damage: JournalDamage[];
  /** Latest version of those records that are intact and of a later version than is known here: they are not among `records`. */
  later?: number;
}

/** Reads what is intact and names what is not. Never throws: a journal is read when something went wrong before. */
export function parseJournal(bytes: Buffer): ParsedJournal {
  const parsed: ParsedJournal = { records: [], damage: [] };
  for (let offset = 0; offset < bytes.length;) {
    const newline = bytes.indexOf(10, offset);
    const end = newline < 0 ? bytes.length : newline + 1;
    const record = newline < 0 ? undefined : decodeLine(bytes.toString("utf8", offset, newline));
    if (record === undefined)
      parsed.damage.push({ offset, bytes: end - offset, kind: newline < 0 ? "torn" : "corrupt" });
    else if (isKnown(record)) parsed.records.push(record);
    else parsed.later = Math.max(record.version, parsed.later ?? 0);
    offset = end;
  }
  return parsed;
}

/** A record of which a later version says what else is in it. */
interface LaterRecord {
  version: number;
}

const isKnown = (record: JournalRecord | LaterRecord): record is JournalRecord =>
  record.version === JOURNAL_VERSION;

/** @returns undefined where it is damaged */
function decodeLine(line: string): JournalRecord | LaterRecord | undefined {
  const json = line.slice(9);
  if (line[8] !== " " || line.slice(0, 8) !== checksum(json)) return undefined;
  try {
    const record = JSON.parse(json) as JournalRecord | LaterRecord | null;
    return record !== null && record.version >= JOURNAL_VERSION ? record : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
