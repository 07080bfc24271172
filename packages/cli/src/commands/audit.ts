/** `kvmgov audit`: what was written to the kernel, when, by which plan and why. Needs no server. */
import { readAudit, type AuditFilter, type AuditRecord } from "@kvm-governor/linux";
import { hostPlaces } from "../host-places.ts";
import { printed } from "../output.ts";
import { visible } from "../supervisor/narrator.ts";
import { guestArgument } from "../text/guest-argument.ts";

export interface AuditFlags {
  guest?: string;
  since?: string;
  stateDir?: string;
  json?: boolean;
}

/** What was asked for cannot be understood. */
export class AuditArgumentError extends Error {
  override readonly name = "AuditArgumentError";
}

export async function auditCommand(flags: AuditFlags): Promise<number> {
  const stateDir = flags.stateDir ?? hostPlaces(process.env).stateDir;
  const guest = guestArgument(flags.guest);
  const filter: AuditFilter = {
    ...(guest !== undefined && { guest }),
    ...(flags.since !== undefined && { sinceMs: sinceMs(flags.since, Date.now()) }),
  };
  let shown = 0;
  let torn = 0;
  for (const { records, torn: tornHere } of readAudit(stateDir, filter)) {
    shown += records.length;
    torn += tornHere;
    const isTaken = await printed(
      records.map((record) => (flags.json === true ? JSON.stringify(record) : lineOf(record))),
    );
    if (!isTaken) return 0;
  }
  if (torn > 0) process.stderr.write(`kvmgov: ${torn} lines were cut short by a crash and are left out\n`);
  if (shown === 0 && flags.json !== true) await printed([`Nothing recorded in ${stateDir} that fits.`]);
  return 0;
}

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/**
 * A time as people write it: `90s`, `15m`, `2h`, `7d` before now, or a date with or without a time.
 * @throws {AuditArgumentError}
 */
export function sinceMs(text: string, nowMs: number): number {
  const ago = /^(\d{1,9})([smhd])$/.exec(text);
  if (ago !== null) return nowMs - Number(ago[1]) * UNIT_MS[ago[2] as keyof typeof UNIT_MS];
  const at = Date.parse(text);
  if (Number.isNaN(at)) {
    throw new AuditArgumentError(
      `--since ${JSON.stringify(text)}: neither a length (15m, 2h, 7d) nor a date`,
    );
  }
  return at;
}

/** One record as a line for people. Names may hold anything: control characters are made visible. */
export function lineOf(record: AuditRecord): string {
  const { time, event, name, target, setting, file, old, error, readBack, generation, reason } = record;
  const now = record.new === "" ? `""` : record.new;
  const was = old === "" ? `""` : old;
  const what = event === "drift" ? `was ${was}, found ${now}` : `${was} -> ${now}`;
  const plan = generation === undefined ? "" : `, plan ${generation}`;
  const differs = readBack !== undefined && readBack !== record.new && event !== "drift";
  const problem = error === undefined ? (differs ? ` READS ${readBack}` : "") : ` FAILED: ${error}`;
  return visible(
    `${time} ${event} ${name} ${target} ${setting}: ${what}${problem} [${file}${plan}] ${reason}`,
  );
}
