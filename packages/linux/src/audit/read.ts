/** Reads the audit back, oldest record first. */
import { existsSync, readFileSync } from "node:fs";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { auditFile } from "./log.ts";
import { parseAudit, type AuditRecord } from "./records.ts";

export interface AuditFilter {
  /** UUID or name of one guest. */
  guest?: string;
  /** Wall time in milliseconds from which on. */
  sinceMs?: number;
}

/** Calls back with what each file holds, oldest first: only one of them is in memory at a time. */
export function readAudit(
  stateDir: string,
  filter: AuditFilter,
  onFile: (records: readonly AuditRecord[], torn: number) => void,
): void {
  for (const file of auditFiles(stateDir)) {
    const { records, torn } = parseAudit(readFileSync(file, "utf8"));
    onFile(
      records.filter((record) => matches(record, filter)),
      torn,
    );
  }
}

/** A rotation that was cut short leaves a gap in the numbers. */
function auditFiles(stateDir: string): string[] {
  if (!existsSync(stateDir)) return [];
  const ages = readdirSync(stateDir).flatMap((name) => {
    const match = /^audit\.(\d+)\.jsonl$/.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
  const present = existsSync(auditFile(stateDir)) ? [auditFile(stateDir)] : [];
  return [...ages.toSorted((a, b) => b - a).map((age) => join(stateDir, `audit.${age}.jsonl`)), ...present];
}

function matches(record: AuditRecord, { guest, sinceMs }: AuditFilter): boolean {
  if (guest !== undefined && record.guest !== guest && record.name !== guest) return false;
  return sinceMs === undefined || Date.parse(record.time) >= sinceMs;
}
