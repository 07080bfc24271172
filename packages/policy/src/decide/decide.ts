/**
 * The decision: one sample of one host in, its next state, plan and report out. Pure: no clock, no I/O.
 *
 * Words: LIST_se and LIST_sc are the classes `service` and `scientific`; entitlement is what a guest may have now; a
 * plan that changes nothing keeps its generation and is only renewed.
 */
import type { GuestClass } from "../contracts/fields.ts";
import type { GuestPlan, Plan, Reason } from "../contracts/plan.ts";
import type { GuestSample, Sample } from "../contracts/sample.ts";
import { CONTRACT_VERSION } from "../contracts/fields.ts";
import type { Settings } from "../settings.ts";
import type { GuestState, HostState } from "../state.ts";
import { allocate } from "./allocate.ts";
import type { Allocation } from "./allocate.ts";
import { classify, firstClass } from "./classify.ts";
import type { Classified } from "./classify.ts";
import { hold, isSameHold } from "./hold.ts";
import { place } from "./place.ts";
import type { Placement } from "./place.ts";
import { classReason, hadCpusAlone, holdReasons } from "./reasons.ts";
import type { GuestReport, Report } from "./report.ts";
import { guestUse, isExempt, isReadable } from "./use.ts";
import type { GuestUse } from "./use.ts";

export type Decision =
  | { kind: "decided"; next: HostState; plan: Plan; report: Report }
  /** The sample is not newer than what was decided on: nothing changes, the last plan still stands. */
  | { kind: "repeated"; plan: Plan | undefined };

/** A managed guest on its way through the steps of one decision. */
interface Managed {
  sample: GuestSample;
  use: GuestUse;
  readable: boolean;
  isNew: boolean;
  classified: Classified;
  declared: GuestSample["declared"];
  before: GuestPlan | undefined;
  since: number;
}

export function decide(previous: HostState | undefined, sample: Sample, settings: Settings): Decision {
  if (previous !== undefined && !isNewer(sample, previous)) return { kind: "repeated", plan: previous.plan };
  const plansBefore = new Map(previous?.plan?.guests.map((plan) => [plan.uuid, plan]));
  const { managed, exempt, duplicates } = sortGuests(sample, previous, plansBefore, settings);
  const kept = keptGuests(sample, previous, managed);

  const claimants = managed.map(({ sample: guest, use, classified, declared }) => ({
    class: classified.class,
    vcpus: guest.vcpus.length,
    demandCores: use.demand * guest.vcpus.length,
    slaCores: declared.slaCores,
    inferred: declared.class === "auto",
  }));
  const otherUse = otherUseCores(sample, exempt);
  const allocation = allocate(claimants, sample.cpus, otherUse, settings);
  const placement = placeGuests(managed, allocation, sample, { kept, plansBefore, otherUse }, settings);

  const services = managed.filter((guest) => guest.classified.class === "service").length;
  const guests: GuestPlan[] = managed.map((guest, i) =>
    planGuest(guest, allocation.entitlements[i] ?? 0, { allocation, placement, sample, services }, settings),
  );
  for (const uuid of kept) {
    const plan = plansBefore.get(uuid);
    if (plan !== undefined) guests.push(plan);
  }
  const changed =
    previous?.plan === undefined || !isSamePlan(previous.plan, plansBefore, sample, guests, settings);
  const plan: Plan = {
    schema: CONTRACT_VERSION,
    host: sample.host,
    bootId: sample.bootId,
    generation: (previous?.generation ?? 0) + (changed ? 1 : 0),
    sequence: sample.sequence,
    expiresAtUs: sample.sequence + settings.planTtlMs * 1000,
    preset: settings.preset,
    guests,
  };
  return {
    kind: "decided",
    next: nextState(sample, previous, plan, managed, kept),
    plan,
    report: {
      guests: [
        ...managed.map((guest, i) =>
          guestReport(guest, guests[i]?.reasons ?? [], allocation.entitlements[i] ?? 0),
        ),
        ...exempt.map((guest) => exemptReport(guest, settings)),
      ],
      availableCores: allocation.availableCores,
      oversubscribed: allocation.oversubscribed,
      slaScale: allocation.slaScale,
      changed,
      duplicates,
    },
  };
}

/** Sequences order the samples of one boot; between boots only the wall clock can. */
function isNewer(sample: Sample, previous: HostState): boolean {
  if (sample.bootId === previous.bootId) return sample.sequence > previous.sequence;
  return sample.wallTimeMs > previous.wallTimeMs;
}

function sortGuests(
  sample: Sample,
  previous: HostState | undefined,
  plansBefore: ReadonlyMap<string, GuestPlan>,
  settings: Settings,
): { managed: Managed[]; exempt: GuestSample[]; duplicates: { uuid: string; name: string }[] } {
  const managed: Managed[] = [];
  const exempt: GuestSample[] = [];
  const duplicates: { uuid: string; name: string }[] = [];
  const seen = new Set<string>();
  for (const guest of sample.guests) {
    if (seen.has(guest.uuid)) duplicates.push({ uuid: guest.uuid, name: guest.name });
    else if (isExempt(guest)) exempt.push(guest);
    else
      managed.push(
        classifyGuest(guest, previous?.guests[guest.uuid], plansBefore.get(guest.uuid), sample, settings),
      );
    seen.add(guest.uuid);
  }
  return { managed, exempt, duplicates };
}

function classifyGuest(
  guest: GuestSample,
  state: GuestState | undefined,
  before: GuestPlan | undefined,
  sample: Sample,
  settings: Settings,
): Managed {
  const readable = isReadable(guest);
  const use = readable ? guestUse(guest, settings) : lastUse(guest, state);
  const start = state ?? { class: firstClass(guest.declared), count: 0 };
  // A declaration is no measurement: it holds for a guest that cannot be read, too.
  const decidable = readable || guest.declared.class !== "auto";
  const classified = decidable
    ? classify(start, guest.declared, use, settings)
    : { class: start.class, count: start.count, crossed: false };
  const moved = classified.movedFrom !== undefined;
  return {
    sample: guest,
    use,
    readable,
    isNew: state === undefined,
    classified,
    declared: guest.declared,
    before,
    since: state === undefined || moved ? sample.sequence : state.since,
  };
}

/** What is not known now is taken to be as it was. */
function lastUse(guest: GuestSample, state: GuestState | undefined): GuestUse {
  const usage = state?.usage ?? 0;
  return { usage, delay: 0, demand: usage, vcpuDemand: guest.vcpus.map(() => usage) };
}

/** UUIDs of guests that exist but could not be read at all: their state and plan stay as they are. */
function keptGuests(sample: Sample, previous: HostState | undefined, managed: readonly Managed[]): string[] {
  if (previous === undefined || sample.unreadable.length === 0) return [];
  const readable = new Set(managed.map((guest) => guest.sample.uuid));
  const uuids = new Set(sample.unreadable.map((guest) => guest.uuid));
  const namesWithoutUuid = new Set(
    sample.unreadable.filter((g) => g.uuid === undefined).map((guest) => guest.name),
  );
  return Object.entries(previous.guests)
    .filter(([uuid, state]) => !readable.has(uuid) && (uuids.has(uuid) || namesWithoutUuid.has(state.name)))
    .map(([uuid]) => uuid);
}

/** Use by the host itself, by exempt guests and by VMM threads: none of it is there to be given away. */
function otherUseCores(sample: Sample, exempt: readonly GuestSample[]): number {
  let cores = sample.hostRun;
  for (const guest of sample.guests) cores += guest.otherRun;
  for (const guest of exempt) for (const vcpu of guest.vcpus) cores += vcpu.run;
  return cores;
}

function placeGuests(
  managed: readonly Managed[],
  allocation: Allocation,
  sample: Sample,
  past: { kept: readonly string[]; plansBefore: ReadonlyMap<string, GuestPlan>; otherUse: number },
  settings: Settings,
): Placement {
  // CPUs of a guest that cannot be read just now stay its own.
  const taken = past.kept.flatMap((uuid) => hadCpusAlone(past.plansBefore.get(uuid)) ?? []);
  const free = taken.length === 0 ? sample.cpus : sample.cpus.filter((cpu) => !taken.includes(cpu));
  return place(
    managed.map(({ sample: guest, classified, before }, i) => ({
      uuid: guest.uuid,
      class: classified.class,
      vcpus: guest.vcpus.length,
      entitlementCores: allocation.entitlements[i] ?? 0,
      allowedCpus: guest.allowedCpus,
      before: hadCpusAlone(before),
    })),
    free,
    settings.reserveCores + past.otherUse,
    settings.preset === "default" && !allocation.oversubscribed && allocation.inferredLimited === false,
  );
}

function planGuest(
  guest: Managed,
  entitlementCores: number,
  host: { allocation: Allocation; placement: Placement; sample: Sample; services: number },
  settings: Settings,
): GuestPlan {
  const { sample, classified, declared, before } = guest;
  const slaCores = declared.slaCores === undefined ? undefined : declared.slaCores * host.allocation.slaScale;
  const held = hold(
    {
      guest: sample,
      class: classified.class,
      entitlementCores,
      vcpuDemand: guest.use.vcpuDemand,
      slaCores,
      placement: host.placement,
      services: host.services,
      hostCpus: host.sample.cpus.length,
      limited: settings.reserveCores > 0 || (host.allocation.inferredLimited && declared.class === "auto"),
      before,
    },
    settings,
  );
  const common = {
    uuid: sample.uuid,
    name: sample.name,
    pid: sample.pid,
    startTime: sample.startTime,
    class: classified.class,
    count: classified.count,
    since: guest.since,
  };
  const news = classReason(classified, declared, guest.use, settings, guest.isNew);
  if (before !== undefined && news === undefined && isSameHold(before, held)) {
    return { ...common, ...holdOf(before), reasons: before.reasons };
  }
  const why: Reason = news ?? before?.reasons[0] ?? { code: "known", text: "in this list before" };
  const alone = host.placement.exclusive.get(sample.uuid);
  const facts = {
    class: classified.class,
    entitlementCores,
    availableCores: host.allocation.availableCores,
    slaCores,
    alone,
    vcpus: sample.vcpus.length,
  };
  return { ...common, ...held, reasons: [why, ...holdReasons(facts, held)] };
}

function holdOf({
  vcpus,
  weight,
  emulatorCpus,
  ioThreadCpus,
  periodUs,
}: GuestPlan): Omit<
  GuestPlan,
  "uuid" | "name" | "pid" | "startTime" | "class" | "count" | "since" | "reasons"
> {
  return { vcpus, weight, emulatorCpus, ioThreadCpus, ...(periodUs === undefined ? {} : { periodUs }) };
}

/** Whether the writer would have nothing new to do. Counts and reasons are no settings. */
function isSamePlan(
  before: Plan,
  plansBefore: ReadonlyMap<string, GuestPlan>,
  sample: Sample,
  guests: readonly GuestPlan[],
  settings: Settings,
): boolean {
  if (before.bootId !== sample.bootId || before.preset !== settings.preset) return false;
  if (before.guests.length !== guests.length) return false;
  return guests.every((guest) => {
    const other = plansBefore.get(guest.uuid);
    if (other === undefined) return false;
    if (guest.class !== other.class || guest.pid !== other.pid || guest.startTime !== other.startTime)
      return false;
    return guest.vcpus === other.vcpus || isSameHold(guest, other);
  });
}

function nextState(
  sample: Sample,
  previous: HostState | undefined,
  plan: Plan,
  managed: readonly Managed[],
  kept: readonly string[],
): HostState {
  const guests: Record<string, GuestState> = {};
  for (const { sample: guest, classified, declared, use, since } of managed) {
    guests[guest.uuid] = {
      name: guest.name,
      class: classified.class,
      count: classified.count,
      since,
      declared: declared.class,
      usage: use.usage,
    };
  }
  for (const uuid of kept) {
    const state = previous?.guests[uuid];
    if (state !== undefined) guests[uuid] = state;
  }
  return {
    bootId: sample.bootId,
    sequence: sample.sequence,
    wallTimeMs: sample.wallTimeMs,
    generation: plan.generation,
    guests,
    plan,
  };
}

function guestReport(guest: Managed, reasons: readonly Reason[], entitlementCores: number): GuestReport {
  const { sample, classified, use, readable } = guest;
  const moved: { movedFrom?: GuestClass } =
    classified.movedFrom === undefined ? {} : { movedFrom: classified.movedFrom };
  return {
    uuid: sample.uuid,
    name: sample.name,
    class: classified.class,
    readable,
    usage: use.usage,
    delay: use.delay,
    demand: use.demand,
    crossed: classified.crossed,
    count: classified.count,
    ...moved,
    entitlementCores,
    reasons,
  };
}

function exemptReport(guest: GuestSample, settings: Settings): GuestReport {
  const use = guestUse(guest, settings);
  const why =
    guest.declared.class === "exempt"
      ? `declared exempt by ${guest.declared.source ?? "its definition"}`
      : `${guest.exemptReason ?? "exempt"} guest: left alone unless it is declared`;
  return {
    uuid: guest.uuid,
    name: guest.name,
    class: "exempt",
    readable: isReadable(guest),
    usage: use.usage,
    delay: use.delay,
    demand: use.demand,
    crossed: false,
    count: 0,
    entitlementCores: 0,
    reasons: [{ code: "exempt", text: why }],
  };
}
