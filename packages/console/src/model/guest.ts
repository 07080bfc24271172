/** A guest's page: its course over time against the thresholds, what was decided and why, and what was written. */
import { bandwidthText, cpusText, downThreshold, heldText, listName, percent } from "@kvm-governor/policy";
import type { AppliedSummary, GuestHistory, GuestPlan, GuestReport, GuestSample } from "@kvm-governor/policy";
import type { ConsoleSource, GuestSeries, TickFacts } from "../facts.ts";
import { staleAfterMs } from "./alarms.ts";
import { decisionRows, writeRows } from "./guest-history.ts";
import { howText } from "./guest-row.ts";
import { ONLY } from "./model.ts";
import type { GuestFactsRow, Model, PointRow, VcpuRow } from "./model.ts";
import { round, visible } from "./words.ts";

export function guestModel(host: string, uuid: string, source: ConsoleSource): Model {
  const { tick, applied, announced, knownSinceMs } = source.host(host, uuid) ?? {};
  const report = tick?.report.guests.find((guest) => guest.uuid === uuid);
  const plan = tick?.plan.guests.find((guest) => guest.uuid === uuid);
  const sample = tick?.guests.get(uuid);
  const history = source.history(host, uuid);
  // A stranger's UUID must not push out a guest that is followed.
  const series: GuestSeries =
    report === undefined ? { fine: [], coarse: [], isFollowed: true } : source.series(host, uuid);
  const settings = source.settings();
  const { alpha, beta, signal } = settings;
  const facts: GuestFactsRow = {
    known: report !== undefined,
    name: visible(report?.name ?? uuid),
    uuid,
    host,
    hostName: visible(announced?.host.name ?? host),
    class: report?.class ?? "",
    how: report === undefined ? "" : howText(report, sample),
    sinceMs: source.sinceMs(host, uuid) ?? null,
    why: whyText(report, history),
    seen: seenText(report),
    held: plan === undefined ? "" : heldText(plan),
    heldWhy: (plan?.reasons ?? [])
      .filter(({ code }) => !MOVE_CODES.has(code))
      .map(({ text }) => visible(text)),
    applied: appliedText(tick, applied, history),
    vcpus: sample?.vcpus.length ?? plan?.vcpus.length ?? 0,
    usage: report === undefined ? null : round(report.usage, 2),
    demand: report === undefined ? null : round(report.demand, 2),
    delay: report === undefined ? null : round(Math.min(1, report.delay), 2),
    count: report?.count ?? null,
    mayCores: report === undefined || report.class === "exempt" ? null : round(report.entitlementCores, 2),
    slaCores: plan?.slaCores ?? sample?.declared.slaCores ?? null,
    slaDelay: report?.slaDelay ?? null,
    isFollowed: series.isFollowed,
    alpha,
    alphaDown: downThreshold(settings),
    beta,
    usesRun: signal === "run",
    periodMs: tick?.sample.periodMs === undefined ? 1000 : Math.round(tick.sample.periodMs),
    sampleAtMs: tick?.decidedAtMs ?? null,
    staleAfterMs: staleAfterMs(tick),
    startedAtMs: source.startedAtMs,
    knownSinceMs: knownSinceMs ?? null,
    missing: report === undefined ? source.missing(host, uuid) : [],
  };
  return {
    guest: { [ONLY]: facts },
    vcpus: vcpuRows(sample, plan, tick?.sample.periodMs ?? 1000),
    decisions: decisionRows(history.decisions),
    writes: writeRows(history),
    fine: points(series.fine),
    coarse: points(series.coarse),
  };
}

/** Reasons that say why a guest is in its list; the others say how it is held. */
const MOVE_CODES = new Set(["moved-to-scientific", "moved-to-service", "declared", "undeclared", "new"]);

/** Plans keep the reason of a move only until they change again: then the history knows it. */
function whyText(report: GuestReport | undefined, { decisions }: GuestHistory): string {
  const own = report?.reasons.find(({ code }) => MOVE_CODES.has(code) || code === "exempt");
  const last = decisions.findLast(({ kind, class: to }) => kind !== "held" && to === report?.class);
  const moved = last?.reasons.find(({ code }) => MOVE_CODES.has(code));
  return visible(moved?.text ?? own?.text ?? "");
}

function seenText(report: GuestReport | undefined): string {
  if (report === undefined) return "";
  const { usage, delay, demand, readable, crossed, count, held, class: kind } = report;
  if (!readable) return "It could not be read in the last period: its count was left alone.";
  const seen = `It ran ${percent(usage)} of its vCPUs' time, waited ${percent(Math.min(1, delay))} and wanted ${percent(demand)}.`;
  if (kind === "exempt") return seen;
  const towards = listName[kind === "service" ? "scientific" : "service"];
  return `${seen} That ${crossed ? "counts" : "does not count"} towards ${towards}: the crossing count is ${count}.${held === true ? " It would move, but its count moved it less than coolDownMs ago." : ""}`;
}

function appliedText(
  tick: TickFacts | undefined,
  applied: AppliedSummary | undefined,
  { skipped, wouldWrite }: GuestHistory,
): string {
  if (tick === undefined) return "";
  if (applied === undefined) return "Not known to be applied: no actuator has reported.";
  if (skipped !== null) return `Not applied: the actuator leaves it alone: ${visible(skipped.reason)}`;
  if (applied.switchFired !== undefined) return "Not in force: all guests of the host are at their baseline.";
  if (applied.dryRun) return `Dry run: ${wouldWrite.length} values would be written.`;
  if (applied.generation < tick.plan.generation)
    return `Not applied yet: the actuator is at plan ${applied.generation} of ${tick.plan.generation}.`;
  return "In force: read back from the kernel.";
}

function vcpuRows(
  sample: GuestSample | undefined,
  plan: GuestPlan | undefined,
  periodMs: number,
): Record<string, VcpuRow> {
  const plans = new Map(plan?.vcpus.map((vcpu) => [vcpu.index, vcpu]));
  const rows: Record<string, VcpuRow> = {};
  for (const vcpu of sample?.vcpus ?? []) {
    const held = plans.get(vcpu.index);
    rows[vcpu.index] = {
      index: vcpu.index,
      run: round(vcpu.run, 2),
      delay: round(Math.min(1, vcpu.delay), 2),
      switches: vcpu.switches === undefined ? null : Math.round((vcpu.switches * 1000) / periodMs),
      involuntaryPart: vcpu.involuntaryPart === undefined ? null : round(vcpu.involuntaryPart, 2),
      throttled: vcpu.throttled === undefined ? null : round(vcpu.throttled, 2),
      quota: held === undefined ? "" : bandwidthText(held.bandwidth),
      cpus: held === undefined ? "" : cpusText(held.cpus),
    };
  }
  return rows;
}

/** By time: the newest point grows while its bucket lasts, all others stay as they are. */
function points(rows: GuestSeries["fine"]): Record<string, PointRow> {
  return Object.fromEntries(rows.map((row) => [String(row[0]), { v: row }]));
}
