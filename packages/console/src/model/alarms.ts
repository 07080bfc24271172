/** What is wrong with a host right now or was lately, in words. The same thresholds as the alerts for Prometheus. */
import type { AppliedSummary } from "@kvm-governor/policy";
import type { ConsoleSource, HostFacts, HostLine, TickFacts } from "../facts.ts";
import type { AlarmRow, Severity } from "./model.ts";
import { visible } from "./words.ts";

/** Failed writes and drift are told for as long as the alerts look back. */
const LATELY_MS = { errors: 600_000, drift: 900_000 };
/** Below this a guest is not said to get too little: one period says nothing. */
const SHORT_FOR_MS = 10_000;
/** A plan that is not applied after so many check periods, and at least so long, is not on its way any more. */
const BEHIND_PERIODS = 5;
const BEHIND_MS_MIN = 5000;
/** Lists of names end after so many. */
const NAMED_MAX = 3;

type Alarm = Pick<AlarmRow, "severity" | "code" | "text" | "sinceMs"> & {
  guest?: [uuid: string, name: string];
};

/** When the next sample is missed: three periods late, but not at once where periods are short. */
export function staleAfterMs(tick: Pick<TickFacts, "sample"> | undefined): number {
  return Math.max(3 * (tick?.sample.periodMs ?? 1000), 5000);
}

/** What alarms depend on beside the host. */
export type AlarmContext = Pick<ConsoleSource, "now" | "startedAtMs" | "settings" | "isAskedFor">;

/** Alarms of one host, the worst first. @param id of the host, also where nothing is known of it */
export function hostAlarms(id: string, facts: HostFacts, source: AlarmContext): AlarmRow[] {
  const nowMs = source.now();
  const { tick, applied } = facts;
  const alarms: Alarm[] = [
    ...(facts.tick === undefined && source.isAskedFor(id) ? [] : silence(facts, nowMs, source)),
    ...actuatorAlarms(tick, applied, nowMs),
    ...troubleAlarms(facts, nowMs),
    ...(tick === undefined ? [] : tickAlarms(tick, nowMs)),
  ];
  const hostName = visible(facts.announced?.host.name ?? id);
  return alarms
    .toSorted((a, b) => rank(a.severity) - rank(b.severity))
    .map(({ guest, ...alarm }) => ({
      ...alarm,
      host: id,
      hostName,
      guest: guest?.[0] ?? "",
      guestName: guest === undefined ? "" : visible(guest[1]),
    }));
}

export function rank(severity: Severity | ""): number {
  return severity === "critical" ? 0 : severity === "warning" ? 1 : severity === "info" ? 2 : 3;
}

function silence({ tick, announced }: HostFacts, nowMs: number, source: AlarmContext): Alarm[] {
  if (tick === undefined) {
    const sinceMs = announced?.receivedAtMs ?? source.startedAtMs;
    if (nowMs - source.startedAtMs < staleAfterMs(undefined)) return [];
    const text = "no sample since this classifier started: is its collector running?";
    return [{ severity: "critical", code: "no-sample", text, sinceMs }];
  }
  return silenceSince(tick.decidedAtMs, staleAfterMs(tick), source);
}

/** @param sinceMs of the last sample */
function silenceSince(
  sinceMs: number,
  staleMs: number,
  source: Pick<AlarmContext, "now" | "settings">,
): Alarm[] {
  const age = source.now() - sinceMs;
  if (age <= staleMs) return [];
  const isOver = age > source.settings().planTtlMs;
  const text = isOver
    ? "no sample: its plan has run out, and its guests go back to what they were"
    : "no sample: the plan runs out soon";
  return [{ severity: isOver ? "critical" : "warning", code: "no-sample", text, sinceMs }];
}

/** Alarms of a host as another classifier answered; where its answers stopped, its silence is noticed here. */
export function lineAlarms(
  { id, row, alarms }: HostLine,
  source: Pick<AlarmContext, "now" | "settings">,
): readonly AlarmRow[] {
  if (row.sampleAtMs === null || alarms.some(({ code }) => code === "no-sample")) return alarms;
  const silent = silenceSince(row.sampleAtMs, row.staleAfterMs, source);
  const own = silent.map((alarm) => ({
    ...alarm,
    host: id,
    hostName: row.name,
    guest: "",
    guestName: "",
  }));
  return [...own, ...alarms].toSorted((x, y) => rank(x.severity) - rank(y.severity));
}

function actuatorAlarms(
  tick: TickFacts | undefined,
  applied: AppliedSummary | undefined,
  nowMs: number,
): Alarm[] {
  if (tick === undefined) return [];
  const patienceMs = Math.max(BEHIND_PERIODS * tick.sample.periodMs, BEHIND_MS_MIN);
  if (applied === undefined) {
    const text = "no report of an actuator: nothing is applied, as far as is known";
    return [{ severity: "warning", code: "no-actuator", text, sinceMs: null }];
  }
  const sinceMs = applied.receivedAtMs;
  if (applied.switchFired === "expired") {
    const text = "the dead-man's switch fired: no plan came in time, all guests are back at their baseline";
    return [{ severity: "critical", code: "dead-mans-switch", text, sinceMs }];
  }
  if (applied.switchFired !== undefined) {
    const why =
      applied.switchFired === "operator" ? "an operator took the guests back" : "its actuator stopped";
    return [
      { severity: "warning", code: "taken-back", text: `${why}: all guests are at their baseline`, sinceMs },
    ];
  }
  if (applied.generation < tick.plan.generation && nowMs - sinceMs > patienceMs) {
    const text = `stale plan: plan ${tick.plan.generation} is not applied, the actuator is at ${applied.generation}`;
    return [{ severity: "warning", code: "plan-not-applied", text, sinceMs }];
  }
  return [];
}

function troubleAlarms({ troubles = {} }: HostFacts, nowMs: number): Alarm[] {
  const alarms: Alarm[] = [];
  const { errors, drift } = troubles;
  if (errors !== undefined && nowMs - errors.atMs < LATELY_MS.errors) {
    const text = `${errors.count} ${errors.count === 1 ? "write" : "writes"} failed in one report of the actuator`;
    alarms.push({ severity: "critical", code: "writes-failed", text, sinceMs: errors.atMs });
  }
  if (drift !== undefined && nowMs - drift.atMs < LATELY_MS.drift) {
    const what = drift.count === 1 ? "a value that was applied" : `${drift.count} values that were applied`;
    alarms.push({
      severity: "warning",
      code: "drift",
      text: `somebody else changed ${what}`,
      sinceMs: drift.atMs,
    });
  }
  return alarms;
}

function tickAlarms({ report, sample, shortSince }: TickFacts, nowMs: number): Alarm[] {
  const alarms: Alarm[] = [];
  if (report.oversubscribed) {
    const text = `the SLAs of its guests exceed the host: each gets ${Math.round(report.slaScale * 100)}% of its SLA`;
    alarms.push({ severity: "warning", code: "sla-exceeds-host", text, sinceMs: null });
  }
  const names = new Map(report.guests.map(({ uuid, name }) => [uuid, name]));
  for (const [uuid, sinceMs] of shortSince) {
    if (nowMs - sinceMs < SHORT_FOR_MS) continue;
    const text = "SLA short: it gets less than it is promised, and waits for CPUs";
    alarms.push({
      severity: "critical",
      code: `sla-short-${uuid}`,
      text,
      sinceMs,
      guest: [uuid, names.get(uuid) ?? uuid],
    });
  }
  const { unreadable } = sample;
  if (unreadable.length > 0) {
    const text = `cannot be read: ${listed(unreadable.map(({ name, reason }) => `${visible(name)} (${visible(reason)})`))}`;
    alarms.push({ severity: "warning", code: "unreadable", text, sinceMs: null });
  }
  if (report.duplicates.length > 0) {
    const text = `UUID of another guest, left alone: ${listed(report.duplicates.map(({ name }) => visible(name)))}`;
    alarms.push({ severity: "warning", code: "duplicates", text, sinceMs: null });
  }
  return alarms;
}

function listed(names: readonly string[]): string {
  const more = names.length - NAMED_MAX;
  return names.slice(0, NAMED_MAX).join(", ") + (more > 0 ? ` and ${more} more` : "");
}
