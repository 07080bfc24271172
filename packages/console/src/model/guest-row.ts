/** A guest as a row of its host's table. */
import { bandwidthText, cpusText, ofVcpus } from "@kvm-governor/policy";
import type { Bandwidth, GuestPlan, GuestReport, GuestSample } from "@kvm-governor/policy";
import type { TickFacts } from "../facts.ts";
import type { GuestRow } from "./model.ts";
import { round, visible } from "./words.ts";

export interface GuestSeen {
  report: GuestReport;
  sample: GuestSample | undefined;
  plan: GuestPlan | undefined;
  periodMs: number;
  /** Why the actuator leaves it alone. */
  skipped: string | undefined;
  isShort: boolean;
}

export function guestRow({ report, sample, plan, periodMs, skipped, isShort }: GuestSeen): GuestRow {
  const vcpus = sample?.vcpus.length ?? plan?.vcpus.length ?? 0;
  const isManaged = report.class !== "exempt";
  return {
    name: visible(report.name),
    class: report.class,
    how: howText(report, sample),
    vcpus,
    readable: report.readable,
    usage: round(report.usage, 2),
    demand: round(report.demand, 2),
    // Two clocks differ by a little: more than all of the time is jitter.
    delay: round(Math.min(1, report.delay), 2),
    usedCores: round(report.usage * vcpus, 2),
    switches: switchesPerSecond(sample, periodMs),
    count: report.count,
    mayCores: isManaged ? round(report.entitlementCores, 2) : null,
    slaCores: plan?.slaCores ?? sample?.declared.slaCores ?? null,
    ...held(plan, sample),
    note: noteOf(report, sample, skipped, isShort),
  };
}

export function howText(report: GuestReport, sample: GuestSample | undefined): string {
  const declared = sample?.declared;
  if (report.class === "exempt") return sample?.exemptReason ?? "declared";
  if (declared === undefined || declared.class === "auto") return "inferred";
  return "declared";
}

/** Rounded so that a guest whose rate hardly changes is not drawn anew. */
function switchesPerSecond(sample: GuestSample | undefined, periodMs: number): number | null {
  let sum = 0;
  for (const { switches } of sample?.vcpus ?? []) {
    if (switches === undefined) return null;
    sum += switches;
  }
  if (sample === undefined) return null;
  const rate = (sum * 1000) / periodMs;
  return rate < 100 ? Math.round(rate) : Number(rate.toPrecision(2));
}

function held(
  plan: GuestPlan | undefined,
  sample: GuestSample | undefined,
): Pick<GuestRow, "quota" | "weight" | "cpus"> {
  const pins = sample?.allowedCpus === undefined ? "all" : cpusText(sample.allowedCpus);
  if (plan === undefined) return { quota: "", weight: "", cpus: pins };
  const { vcpus, weight } = plan;
  // One vCPU on each of its CPUs: the list in the order of the vCPUs is shorter than one text a vCPU.
  const alone = vcpus.flatMap(({ cpus }) => (cpus !== "baseline" && cpus.length === 1 ? cpus : []));
  return {
    quota: quotaText(vcpus.map(({ bandwidth }) => bandwidth)),
    weight: weight === "baseline" ? "as found" : String(weight),
    cpus:
      alone.length === vcpus.length
        ? alone.join(", ")
        : ofVcpus(
            vcpus,
            ({ cpus }) => cpus,
            (cpus) => (cpus === "baseline" ? pins : cpusText(cpus)),
          ),
  };
}

/** Of all vCPUs together, where each has a quota. */
function quotaText(bandwidths: readonly Bandwidth[]): string {
  if (bandwidths.every((value) => typeof value === "number"))
    return bandwidths.reduce<number>((sum, value) => sum + value, 0).toFixed(2);
  const texts = new Set(bandwidths.map((value) => (value === "unlimited" ? "none" : bandwidthText(value))));
  return [...texts].join(", ");
}

function noteOf(
  { readable, movedFrom }: GuestReport,
  sample: GuestSample | undefined,
  skipped: string | undefined,
  isShort: boolean,
): string {
  const notes: string[] = [];
  if (isShort) notes.push("SLA short");
  if (skipped !== undefined) notes.push(`left alone: ${visible(skipped)}`);
  if (sample !== undefined && sample.state !== "running") notes.push(sample.state);
  else if (!readable) notes.push("not readable");
  if (movedFrom !== undefined) notes.push("moved just now");
  return notes.join("; ");
}

/** What is known of one guest after the last decision. */
export function guestSeen(
  tick: TickFacts,
  report: GuestReport,
  sample: GuestSample | undefined,
  plan: GuestPlan | undefined,
  skipped: string | undefined,
): GuestSeen {
  return {
    report,
    plan,
    skipped,
    sample,
    periodMs: tick.sample.periodMs,
    isShort: tick.shortSince.has(report.uuid),
  };
}
