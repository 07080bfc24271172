/** Reads the audit back, oldest record first. */
import { closeSync, existsSync, openSync, readSync } from "node:fs";
import { StringDecoder } from "node:string_decoder";
import { auditAges, auditFile } from "./files.ts";
import { parseAudit, type AuditRecord } from "./records.ts";

export interface AuditFilter {
  /** UUID or name of one guest. */
  guest?: string;
  /** Wall time in milliseconds from which on. */
  sinceMs?: number;
}

/** Some records, in their order. */
export interface AuditPiece {
  records: AuditRecord[];
  /** Lines that are not whole: a process or the machine died in the middle of one. */
  torn: number;
}

/** What is in memory at a time: a file may be larger than any string can be. */
const PIECE_BYTES = 1024 * 1024;
/** A record has a few hundred characters; what is longer than this is none. */
const LINE_CHARS_MAX = 1024 * 1024;

/** All files, oldest first, in pieces. */
export function* readAudit(
  stateDir: string,
  filter: AuditFilter,
  pieceBytes = PIECE_BYTES,
): Generator<AuditPiece, void, undefined> {
  for (const file of auditFiles(stateDir)) {
    for (const lines of linesOf(file, pieceBytes)) {
      const { records, torn } = parseAudit(lines);
      yield { records: records.filter((record) => matches(record, filter)), torn };
    }
  }
}

/** Whole lines, but for what is longer than any record: of that the beginning, which nobody takes for one. */
function* linesOf(file: string, pieceBytes: number): Generator<string, void, undefined> {
  const descriptor = openSync(file, "r");
  try {
    const piece = Buffer.alloc(pieceBytes);
    const decoder = new StringDecoder("utf8");
    let rest = "";
    for (;;) {
      const length = readSync(descriptor, piece, 0, pieceBytes, null);
      if (length === 0) break;
      const text = decoder.write(piece.subarray(0, length));
      const end = text.lastIndexOf("\n") + 1;
      if (end > 0) {
        yield rest + text.slice(0, end);
        rest = text.slice(end);
      } else if (rest.length < LINE_CHARS_MAX) rest += text;
    }
    yield rest + decoder.end();
  } finally {
    closeSync(descriptor);
  }
}

/** A rotation that was cut short leaves a gap in the numbers. */
function auditFiles(stateDir: string): string[] {
  const present = existsSync(auditFile(stateDir)) ? [auditFile(stateDir)] : [];
  const ages = auditAges(stateDir).toSorted((a, b) => b - a);
  return [...ages.map((age) => auditFile(stateDir, age)), ...present];
}

function matches(record: AuditRecord, { guest, sinceMs }: AuditFilter): boolean {
  if (guest !== undefined && record.guest !== guest && record.name !== guest) return false;
  return sinceMs === undefined || Date.parse(record.time) >= sinceMs;
}
