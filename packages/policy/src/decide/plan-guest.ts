/** The plan of one guest, and whether a whole plan says anything new. */
import type { GuestPlan, Plan, Reason } from "../contracts/plan.ts";
import type { Sample } from "../contracts/sample.ts";
import type { Settings } from "../settings.ts";
import type { Allocation } from "./allocate.ts";
import type { Apart } from "./apart.ts";
import { heldDelay } from "./delay.ts";
import type { DelayHold } from "./delay.ts";
import { rungAt } from "./delay-ladder.ts";
import { hold, isSameHold } from "./hold.ts";
import type { Hold } from "./hold.ts";
import type { Managed } from "./managed.ts";
import type { Placement } from "./place.ts";
import { classReason, holdReasons } from "./reasons.ts";
import { slaIsLimit } from "./service-limit.ts";

/** What is the same for all guests of one decision. */
export interface HostFacts {
  allocation: Allocation;
  placement: Placement;
  apart: Apart;
  sample: Sample;
  /** Number of guests in LIST_se. */
  services: number;
  /** Number of guests in LIST_sc. */
  scientific: number;
  /** What the guests of LIST_sc are promised together, in cores. */
  scientificSlaCores: number;
  delay: DelayHold;
}

/** @param at place of the guest in the allocation */
export function planGuest(guest: Managed, at: number, host: HostFacts, settings: Settings): GuestPlan {
  const { sample, classified, before } = guest;
  const slaCores = host.allocation.promised[at];
  const slaDelay = heldDelay(guest, settings);
  const held = holdGuest(guest, at, host, settings);
  const common = {
    uuid: sample.uuid,
    name: sample.name,
    pid: sample.pid,
    startTime: sample.startTime,
    class: classified.class,
    count: classified.count,
    since: guest.since,
    ...(slaCores === undefined ? {} : { slaCores }),
    ...(slaDelay === undefined ? {} : { slaDelay }),
  };
  const news = classReason(guest, settings);
  if (
    before !== undefined &&
    news === undefined &&
    before.slaCores === slaCores &&
    before.slaDelay === slaDelay &&
    isSameHold(before, held)
  ) {
    // Mostly not even a count changes. The same object then, which nobody changes: a classifier remembers one for each guest of a
    // fleet, and a new one a tick would have to be collected again.
    return isSameGuest(before, common) ? before : { ...common, ...holdOf(before), reasons: before.reasons };
  }
  const why: Reason = news ?? before?.reasons[0] ?? { code: "known", text: "in this list before" };
  return { ...common, ...held, reasons: [why, ...holdReasons(guest, at, host, settings, held)] };
}

/** Beside how it is held and what it is promised. */
function isSameGuest(
  a: GuestPlan,
  b: Pick<GuestPlan, "name" | "pid" | "startTime" | "class" | "count" | "since">,
): boolean {
  return (
    a.count === b.count &&
    a.since === b.since &&
    a.class === b.class &&
    a.pid === b.pid &&
    a.startTime === b.startTime &&
    a.name === b.name
  );
}

function holdGuest(guest: Managed, at: number, host: HostFacts, settings: Settings): Hold {
  const inferred = guest.sample.declared.class === "auto";
  return hold(
    {
      guest: guest.sample,
      class: guest.classified.class,
      entitlementCores: host.allocation.entitlements[at] ?? 0,
      mostCores: guest.mostCores,
      vcpuDemand: guest.use.vcpuDemand,
      slaCores: host.allocation.promised[at],
      scientificSlaCores: host.scientificSlaCores,
      placement: host.placement,
      apartCpus: host.apart.cpus.get(guest.sample.uuid),
      services: host.services,
      hostCpus: host.sample.cpus.length,
      slaIsLimit: host.scientific > 0 && slaIsLimit(guest, settings),
      rank: rungAt(host.delay.rung).weight,
      capCores: host.allocation.caps?.[at],
      limited: settings.reserveCores > 0 || (host.allocation.inferredLimited && inferred),
      before: guest.before,
    },
    settings,
  );
}

function holdOf({ vcpus, weight, emulatorCpus, ioThreadCpus, periodUs }: GuestPlan): Hold {
  return { vcpus, weight, emulatorCpus, ioThreadCpus, ...(periodUs === undefined ? {} : { periodUs }) };
}

/** Whether the writer would have nothing new to do. Counts and reasons are no settings. */
export function isSamePlan(
  before: Plan,
  plansBefore: ReadonlyMap<string, GuestPlan>,
  now: Pick<Plan, "bootId" | "preset" | "guests">,
): boolean {
  if (before.bootId !== now.bootId || before.preset !== now.preset) return false;
  if (before.guests.length !== now.guests.length) return false;
  return now.guests.every((guest) => {
    const other = plansBefore.get(guest.uuid);
    if (other === guest) return true;
    if (other === undefined || guest.class !== other.class) return false;
    if (guest.pid !== other.pid || guest.startTime !== other.startTime) return false;
    return guest.vcpus === other.vcpus || isSameHold(guest, other);
  });
}
