/** Files of the audit: `audit.jsonl` is the present one, `audit.1.jsonl` the one before it, and so on. */
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";

export const auditFile = (stateDir: string, age = 0): string =>
  join(stateDir, age === 0 ? "audit.jsonl" : `audit.${age}.jsonl`);

/** Numbers of the files that were put aside. @throws what keeps the directory from being listed, but for that it is not there */
export function auditAges(stateDir: string): number[] {
  if (!existsSync(stateDir)) return [];
  return readdirSync(stateDir).flatMap((name) => {
    const match = /^audit\.(\d+)\.jsonl$/.exec(name);
    return match === null ? [] : [Number(match[1])];
  });
}
