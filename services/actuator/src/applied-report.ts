/** The `applied` message: what was done with a plan, small enough for the bus. */
import { MESSAGE_BYTES_MAX, type Applied, type Plan } from "@kvm-governor/policy";

/** Room for the protocol's own bytes. */
const BYTES_MAX = MESSAGE_BYTES_MAX - 4096;

/**
 * Cuts a report that is larger than a message may be. Errors, drift and skipped guests are worth more than writes that went
 * well, so those go first.
 */
export function boundedReport(applied: Applied): Applied {
  if (isSmall(applied)) return applied;
  let report = { ...applied, writes: applied.writes.filter(({ error }) => error !== undefined) };
  const isEmpty = ({ writes, drift, skipped, limits = [] }: Applied): boolean =>
    writes.length + drift.length + skipped.length + limits.length === 0;
  while (!isSmall(report) && !isEmpty(report)) {
    report = {
      ...report,
      ...(report.limits && { limits: half(report.limits) }),
      writes: half(report.writes),
      drift: half(report.drift),
      skipped: half(report.skipped),
    };
  }
  return report;
}

const isSmall = (applied: Applied): boolean => Buffer.byteLength(JSON.stringify(applied)) <= BYTES_MAX;

const half = <T>(list: readonly T[]): T[] => list.slice(0, Math.floor(list.length / 2));

/** A report on a plan with nothing in it yet; without a plan its generation and sequence are 0. */
export function emptyReport(
  { host, bootId, dryRun }: { host: string; bootId: string; dryRun: boolean },
  plan: Pick<Plan, "generation" | "sequence"> | undefined,
  nowUs: number,
): Applied {
  return {
    schema: 1,
    host,
    bootId,
    generation: plan?.generation ?? 0,
    sequence: plan?.sequence ?? 0,
    readBackAtUs: nowUs,
    verified: 0,
    writes: [],
    drift: [],
    skipped: [],
    ...(dryRun && { dryRun }),
  };
}
