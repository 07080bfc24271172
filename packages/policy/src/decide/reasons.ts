/** Reasons in words. The first reason of a guest's plan says why it is in its list; the others how it is held. */
import type { GuestPlan, Reason } from "../contracts/plan.ts";
import { downThreshold } from "../settings.ts";
import type { ArrivedGuest } from "../carried.ts";
import type { Settings } from "../settings.ts";
import type { ApartBefore } from "./apart.ts";
import { declaredDelay, delayReasons, delayWhy } from "./delay-reasons.ts";
import { rungAt } from "./delay-ladder.ts";
import type { Hold } from "./hold.ts";
import type { Managed } from "./managed.ts";
import type { HostFacts } from "./plan-guest.ts";
import { suffices } from "./allocate.ts";
import { slaIsLimit } from "./service-limit.ts";

/** Code of the reason that a guest has CPUs alone; {@link hadCpusAlone} relies on it. */
const CPUS_ALONE = "cpus-alone";

/** Codes of the reasons that a guest has one CPU a vCPU, shared, or had it until one starved; {@link apartBefore} relies on them. */
const CPUS_APART = "cpus-apart";
const CPUS_STARVED = "cpus-starved";

/** Codes of the reason that its counts moved a guest, by the list it came into; {@link movedByCounts} relies on them. */
const MOVED = { scientific: "moved-to-scientific", service: "moved-to-service" } as const;

/** Of hundreds of CPUs the plan has the list. */
const LISTED_CPUS_MAX = 64;

const figure = (value: number): string => value.toFixed(2);

const listName = { service: "LIST_se", scientific: "LIST_sc" } as const;

/** Why a guest is in its list, as far as this period decided it; undefined: nothing new. */
export function classReason(guest: Managed, settings: Settings): Reason | undefined {
  const { classified, isNew, arrived, redeclared, fromOtherBoot } = guest;
  const { declared } = guest.sample;
  const list = listName[classified.class];
  if (declared.class === "service" || declared.class === "scientific") {
    if (!isNew && !arrived && !redeclared && classified.movedFrom === undefined) return undefined;
    return {
      code: "declared",
      text: `${list}: declared ${declared.class} by ${declared.source ?? "its definition"}`,
    };
  }
  if (classified.movedFrom !== undefined) return moveReason(guest, settings);
  if (redeclared) return { code: "undeclared", text: `${list}: no longer declared, counted from now on` };
  if (arrived !== undefined) return arrivedReason(arrived, list);
  if (isNew) return { code: "new", text: `${list}: every guest begins there` };
  return fromOtherBoot ? { code: "known", text: `${list}: was in it before the host booted` } : undefined;
}

const ARRIVED = / \(known from host [A-Za-z0-9_-]+\)$/;

/** The code stays: it tells whether the guest's counts moved it, and so whether it cools down. */
function arrivedReason({ reason, from }: ArrivedGuest, list: string): Reason {
  const { code, text } = reason ?? { code: "known", text: `${list}: was in it before` };
  const known = ` (known from host ${from})`;
  return { code, text: `${text.replace(ARRIVED, "").slice(0, 1024 - known.length)}${known}` };
}

function moveReason({ classified, use }: Managed, settings: Settings): Reason {
  const from = classified.movedFrom === undefined ? "" : `${listName[classified.movedFrom]} to `;
  const side =
    classified.class === "scientific"
      ? `at or above alpha ${settings.alpha}`
      : `below ${belowText(settings)}`;
  const wanted =
    settings.signal === "demand" && use.demand !== use.usage ? ` and wanted ${figure(use.demand)}` : "";
  return {
    code: MOVED[classified.class],
    text:
      `${from}${listName[classified.class]}: used ${figure(use.usage)} of its vCPUs${wanted}, ${side}, ` +
      `and crossed it more than beta ${settings.beta} times`,
  };
}

/** The threshold that counts in LIST_sc, by its name. */
function belowText(settings: Settings): string {
  const threshold = downThreshold(settings);
  return `${threshold === settings.alpha ? "alpha" : "alphaDown"} ${threshold}`;
}

/**
 * Whether a guest is in its list because its counts moved it there. Who was never moved (new, declared, known from before a
 * boot) is free to be; where its plan was lost there is no cool-down.
 * @param first reason of its plan, which says why it is in its list
 */
export function movedByCounts(first: Reason | undefined): boolean {
  const code = first?.code;
  return code === MOVED.scientific || code === MOVED.service;
}

/** Why a guest is held as it is. @param at place of the guest in the allocation */
export function holdReasons(
  guest: Managed,
  at: number,
  host: HostFacts,
  settings: Settings,
  hold: Hold,
): Reason[] {
  const { allocation } = host;
  const slaCores = allocation.promised[at];
  if (guest.classified.class === "service") {
    const sla: Reason =
      slaCores === undefined
        ? { code: "no-sla", text: "no SLA declared: left as it was found" }
        : { code: "sla", text: `SLA: ${figure(slaCores)} cores${scaled(allocation.slaScale)}` };
    return [sla, ...limitReason(host, guest, settings), ...declaredDelay(guest, settings)];
  }
  const share = `${figure(allocation.entitlements[at] ?? 0)} of the ${figure(allocation.availableCores)} cores`;
  const reasons: Reason[] = [{ code: "share", text: `share: ${share} that services leave` }];
  if (hold.weight === "idle")
    reasons.push({ code: "rank", text: "ranks below every service in the kernel (cpu.idle)" });
  const byDelay = delayReasons(host.delay, hold);
  if (typeof hold.weight === "number" && !byDelay.some(({ code }) => code === "rank")) {
    const worth = `is worth its SLA of ${figure(slaCores ?? 0)} cores${scaled(allocation.slaScale)}`;
    reasons.push({ code: "rank", text: `weight ${hold.weight} ${worth}` });
  }
  reasons.push(...byDelay, placeReason(guest, at, host, settings));
  return reasons;
}

function limitReason(host: HostFacts, guest: Managed, settings: Settings): Reason[] {
  if (host.scientific === 0 || !slaIsLimit(guest, settings)) return [];
  const text = "no more than that while there is a scientific guest (serviceLimit)";
  return [{ code: "sla-limit", text }];
}

function scaled(slaScale: number): string {
  return slaScale < 1 ? `, scaled by ${figure(slaScale)}: SLAs exceed the host` : "";
}

function placeReason({ sample }: Managed, at: number, host: HostFacts, settings: Settings): Reason {
  const alone = host.placement.exclusive.get(sample.uuid);
  if (alone !== undefined) {
    const layout = host.placement.layoutOf?.(sample.uuid);
    const text = `CPUs ${alone.join(",")} to itself, one a vCPU${layout === undefined ? "" : `, ${layout}`}`;
    // Of hundreds of CPUs the plan has the list.
    return {
      code: CPUS_ALONE,
      text: text.length > 1024 ? `${alone.length} CPUs to itself, ${layout ?? ""}` : text,
    };
  }
  const vcpus = sample.vcpus.length;
  const hostCpus = host.sample.cpus.length;
  const apart = host.apart.cpus.get(sample.uuid);
  if (apart !== undefined) {
    const list = apart.length > LISTED_CPUS_MAX ? `${apart.length} CPUs` : `CPUs ${apart.join(",")}`;
    return { code: CPUS_APART, text: `${list}, one a vCPU, shared with services` };
  }
  if (host.apart.starved.has(sample.uuid)) {
    const why = "others had the CPU of one for long";
    return { code: CPUS_STARVED, text: `vCPUs on any CPU and not one on each: ${why}` };
  }
  if (vcpus >= hostCpus && settings.preset !== "paper") {
    const layout = `${vcpus} vCPUs on ${hostCpus} CPUs have no exclusive layout`;
    return { code: "no-exclusive-layout", text: `no CPUs to itself: ${layout}` };
  }
  return { code: "cpus-shared", text: `no CPUs to itself: ${whyShared(vcpus, at, host, settings)}` };
}

function whyShared(vcpus: number, at: number, { allocation, delay }: HostFacts, settings: Settings): string {
  if (settings.preset === "paper") return "preset paper holds by quotas";
  if (!rungAt(delay.rung).mayBeAlone) return delayWhy(delay);
  if (allocation.oversubscribed) return "SLAs exceed the host";
  if (allocation.inferredLimited) return "the limit on inferred guests is in force";
  const assured = allocation.assured[at] ?? 0;
  if (!suffices(assured, vcpus))
    return `only ${figure(assured)} cores are left for its ${vcpus} vCPUs when services take all they may`;
  return "services, pins or the host need the other CPUs";
}

/** The reasons of a guest that lost its CPUs while it could not be read. */
export function withoutCpusAlone(reasons: readonly Reason[]): Reason[] {
  return reasons.map((reason) =>
    reason.code === CPUS_ALONE
      ? { code: "cpus-shared", text: "no CPUs to itself: CPUs that it had went offline" }
      : reason,
  );
}

/** What a plan says of one CPU a vCPU, shared. */
export function apartBefore(plan: GuestPlan | undefined): ApartBefore {
  if (plan?.reasons.some(({ code }) => code === CPUS_APART)) return "apart";
  return plan?.reasons.some(({ code }) => code === CPUS_STARVED) ? "starved" : undefined;
}

/** CPUs that a guest had alone under a plan, one a vCPU. */
export function hadCpusAlone(plan: GuestPlan | undefined): readonly number[] | undefined {
  if (plan === undefined || !plan.reasons.some((reason) => reason.code === CPUS_ALONE)) return undefined;
  const own: number[] = [];
  for (const { cpus } of plan.vcpus) {
    if (cpus === "baseline" || cpus.length !== 1) return undefined;
    own.push(...cpus);
  }
  return own;
}
