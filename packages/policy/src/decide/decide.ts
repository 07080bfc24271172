/**
 * The decision: one sample of one host in, its next state, plan and report out. Pure: no clock, no I/O.
 *
 * Words: LIST_se and LIST_sc are the classes `service` and `scientific`; entitlement is what a guest may have now; a
 * plan that changes nothing keeps its generation and is only renewed.
 */
import type { GuestPlan, Plan } from "../contracts/plan.ts";
import type { Sample } from "../contracts/sample.ts";
import { CONTRACT_VERSION } from "../contracts/fields.ts";
import type { Settings } from "../settings.ts";
import type { ArrivedGuest } from "../carried.ts";
import type { HostState } from "../state.ts";
import type { Topology } from "../topology.ts";
import { allocate } from "./allocate.ts";
import type { Allocation } from "./allocate.ts";
import { holdApart } from "./apart.ts";
import type { Apart } from "./apart.ts";
import { claimsOf } from "./claims.ts";
import { holdDelay } from "./delay.ts";
import type { DelayHold } from "./delay.ts";
import { rungAt } from "./delay-ladder.ts";
import { keptGuests, keptPlan } from "./kept.ts";
import type { Kept } from "./kept.ts";
import { sortGuests } from "./managed.ts";
import type { Managed } from "./managed.ts";
import { nextState } from "./next-state.ts";
import type { Placement } from "./place.ts";
import { placeGuests, unmanagedUse } from "./place-guests.ts";
import { isSamePlan, planGuest } from "./plan-guest.ts";
import { apartBefore } from "./reasons.ts";
import { exemptReport, keptReport, managedReport } from "./report.ts";
import type { Report } from "./report.ts";

export type Decision =
  | { kind: "decided"; next: HostState; plan: Plan; report: Report }
  /** The sample is not newer than what was decided on: nothing changes, the last plan still stands. */
  | { kind: "repeated"; plan: Plan | undefined };

const NOBODY: ReadonlyMap<string, ArrivedGuest> = new Map();

/**
 * @param topology of the host, from its newest `host` message; absent: not known yet, all CPUs are alike. Who has CPUs
 *   alone keeps them then, so plans do not change back and forth where it comes late or is not known everywhere
 * @param arrived what is known, from the hosts that they came from, of guests that are new on this one
 */
export function decide(
  previous: HostState | undefined,
  sample: Sample,
  settings: Settings,
  topology?: Topology,
  arrived: ReadonlyMap<string, ArrivedGuest> = NOBODY,
): Decision {
  if (previous !== undefined && !isNewer(sample, previous)) return { kind: "repeated", plan: previous.plan };
  const plansBefore = new Map(previous?.plan?.guests.map((plan) => [plan.uuid, plan]));
  const sorted = sortGuests(sample, { state: previous, plans: plansBefore, arrived }, settings);
  const { managed } = sorted;
  const kept = keptGuests(sample, previous, plansBefore);
  const unmanagedCores = unmanagedUse(sample, sorted);
  const delay = holdDelay(sorted, kept, settings);
  const { part, mayBeAlone } = rungAt(delay.rung);
  const allocation = allocate(managed.map(claimOf), sample.cpus, unmanagedCores, settings, part);
  const claims = claimsOf(sorted.exempt, sample.cpus);
  const unmanaged = { cores: unmanagedCores, claims };
  const ground = { sample, topology, unmanaged, mayBeAlone };
  const placement = placeGuests(managed, kept, allocation, ground, settings);
  const lastSequence = previous?.bootId === sample.bootId ? previous.sequence : undefined;
  const apart = holdApart(sorted, placement, sample, settings, {
    before: ({ before }) => apartBefore(before),
    lastSequence,
  });
  const guests = planGuests(managed, kept, { allocation, placement, apart, sample, delay }, settings);

  const now = { bootId: sample.bootId, preset: settings.preset, guests };
  const changed = previous?.plan === undefined || !isSamePlan(previous.plan, plansBefore, now);
  const plan: Plan = {
    schema: CONTRACT_VERSION,
    host: sample.host,
    generation: (previous?.generation ?? 0) + (changed ? 1 : 0),
    sequence: sample.sequence,
    expiresAtUs: sample.sequence + settings.planTtlMs * 1000,
    ...now,
  };
  const { availableCores, oversubscribed, slaScale, entitlements } = allocation;
  return {
    kind: "decided",
    next: nextState(sample, plan, managed, kept, { delay, apart }),
    plan,
    report: {
      guests: [
        ...managed.map((guest, i) => managedReport(guest, guests[i], entitlements[i] ?? 0, delay)),
        ...kept.map(keptReport),
        ...sorted.exempt.map((guest) => exemptReport(guest, settings)),
      ],
      availableCores,
      oversubscribed,
      slaScale,
      ...(delay.isDeclared ? { delayRung: delay.rung } : {}),
      changed,
      duplicates: sorted.duplicates.map(({ uuid, name }) => ({ uuid, name })),
    },
  };
}

/** Sequences order the samples of one boot; between boots only the wall clock can. */
function isNewer(sample: Sample, previous: HostState): boolean {
  if (sample.bootId === previous.bootId) return sample.sequence > previous.sequence;
  return sample.wallTimeMs > previous.wallTimeMs;
}

function claimOf({ sample, use, classified, mostCores }: Managed): Parameters<typeof allocate>[0][number] {
  return {
    class: classified.class,
    vcpus: sample.vcpus.length,
    mostCores,
    demandCores: use.demand * sample.vcpus.length,
    slaCores: sample.declared.slaCores,
    inferred: sample.declared.class === "auto",
  };
}

function planGuests(
  managed: readonly Managed[],
  kept: readonly Kept[],
  host: { allocation: Allocation; placement: Placement; apart: Apart; sample: Sample; delay: DelayHold },
  settings: Settings,
): GuestPlan[] {
  let services = 0;
  let scientific = kept.filter(({ plan }) => plan?.class === "scientific").length;
  let scientificSlaCores = 0;
  for (const [i, { classified }] of managed.entries()) {
    if (classified.class === "service") services += 1;
    else {
      scientific += 1;
      scientificSlaCores += host.allocation.promised[i] ?? 0;
    }
  }
  const facts = { ...host, services, scientific, scientificSlaCores };
  const guests = managed.map((guest, i) => planGuest(guest, i, facts, settings));
  for (const { plan } of kept) {
    if (plan !== undefined) guests.push(keptPlan(plan, host.sample.cpus, host.placement.shared));
  }
  return guests;
}
