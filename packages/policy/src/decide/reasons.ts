/** Reasons in words. The first reason of a guest's plan says why it is in its list; the others how it is held. */
import type { GuestPlan, Reason } from "../contracts/plan.ts";
import type { Declared } from "../contracts/sample.ts";
import type { Settings } from "../settings.ts";
import type { Classified } from "./classify.ts";
import type { Hold } from "./hold.ts";
import type { GuestUse } from "./use.ts";

/** Code of the reason that a guest has CPUs alone; {@link hadCpusAlone} relies on it. */
const CPUS_ALONE = "cpus-alone";

const figure = (value: number): string => value.toFixed(2);

const listName = { service: "LIST_se", scientific: "LIST_sc" } as const;

/** Why a guest is in its list, as far as this period decided it; undefined: nothing new. */
export function classReason(
  classified: Classified,
  declared: Declared,
  use: GuestUse,
  settings: Settings,
  isNew: boolean,
): Reason | undefined {
  const list = listName[classified.class];
  if (declared.class === "service" || declared.class === "scientific") {
    if (!isNew && classified.movedFrom === undefined) return undefined;
    return {
      code: "declared",
      text: `${list}: declared ${declared.class} by ${declared.source ?? "its definition"}`,
    };
  }
  if (classified.movedFrom !== undefined) return moveReason(classified, use, settings);
  return isNew ? { code: "new", text: `${list}: every guest begins there` } : undefined;
}

function moveReason(classified: Classified, use: GuestUse, settings: Settings): Reason {
  const from = classified.movedFrom === undefined ? "" : `${listName[classified.movedFrom]} to `;
  const side = classified.class === "scientific" ? "at or above" : "below";
  const wanted =
    settings.signal === "demand" && use.demand !== use.usage ? ` and wanted ${figure(use.demand)}` : "";
  return {
    code: classified.class === "scientific" ? "moved-to-scientific" : "moved-to-service",
    text:
      `${from}${listName[classified.class]}: used ${figure(use.usage)} of its vCPUs${wanted}, ${side} alpha ` +
      `${settings.alpha}, and crossed it more than beta ${settings.beta} times`,
  };
}

export interface HoldFacts {
  class: "service" | "scientific";
  entitlementCores: number;
  availableCores: number;
  slaCores: number | undefined;
  alone: readonly number[] | undefined;
  vcpus: number;
}

/** Why a guest is held as it is. */
export function holdReasons(facts: HoldFacts, hold: Hold): Reason[] {
  const reasons: Reason[] = [];
  if (facts.class === "scientific") {
    const available = `${figure(facts.entitlementCores)} of the ${figure(facts.availableCores)} cores that services leave`;
    reasons.push({ code: "share", text: `share: ${available}` });
    if (hold.weight === "idle")
      reasons.push({ code: "rank", text: "ranks below every service in the kernel (cpu.idle)" });
    if (typeof hold.weight === "number") {
      reasons.push({
        code: "rank",
        text: `weight ${hold.weight} is worth its SLA of ${figure(facts.slaCores ?? 0)} cores`,
      });
    }
    reasons.push(aloneReason(facts));
  } else if (facts.slaCores !== undefined) {
    reasons.push({ code: "sla", text: `SLA: ${figure(facts.slaCores)} cores` });
  } else {
    reasons.push({ code: "no-sla", text: "no SLA declared: left as it was found" });
  }
  return reasons;
}

function aloneReason({ alone, vcpus, entitlementCores }: HoldFacts): Reason {
  if (alone !== undefined) return { code: CPUS_ALONE, text: `CPUs ${alone.join(",")} to itself, one a vCPU` };
  const why =
    entitlementCores < vcpus ? `its share is less than its ${vcpus} vCPUs` : "services need the other CPUs";
  return { code: "cpus-shared", text: `no CPUs to itself: ${why}` };
}

/** CPUs that a guest had alone under a plan, one a vCPU. */
export function hadCpusAlone(plan: GuestPlan | undefined): readonly number[] | undefined {
  if (plan === undefined || !plan.reasons.some((reason) => reason.code === CPUS_ALONE)) return undefined;
  return plan.vcpus.flatMap(({ cpus }) => (cpus === "baseline" ? [] : cpus));
}
