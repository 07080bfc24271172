/** The managed guests of one sample: who they are, what they used, and which list they are in now. */
import type { GuestPlan } from "../contracts/plan.ts";
import type { GuestSample, Sample } from "../contracts/sample.ts";
import { coolDownUs } from "../settings.ts";
import type { Settings } from "../settings.ts";
import type { ArrivedGuest } from "../carried.ts";
import type { DelayState, GuestState, HostState } from "../state.ts";
import { classify, firstClass } from "./classify.ts";
import { movedByCounts } from "./reasons.ts";
import type { Classified } from "./classify.ts";
import { guestUse, isExempt, isReadable } from "./use.ts";
import type { GuestUse } from "./use.ts";

/** A managed guest on its way through the steps of one decision. */
export interface Managed {
  sample: GuestSample;
  use: GuestUse;
  readable: boolean;
  isNew: boolean;
  /** It came from another host, where this was known of it. */
  arrived: ArrivedGuest | undefined;
  /** It is known from another boot of the host: when it came into its list cannot be told in this boot's time. */
  fromOtherBoot: boolean;
  /** What is declared about its class is not what was declared before. */
  redeclared: boolean;
  classified: Classified;
  /** Most that it can use: its vCPUs, or the CPUs that it is pinned to where these are fewer. */
  mostCores: number;
  before: GuestPlan | undefined;
  since: number;
  /** What is remembered of its declared delay. */
  delay: DelayState | undefined;
  /** For how long one of its vCPUs has starved while they are held apart, in microseconds. */
  starvedUs: number;
}

/** The guests of a sample, each in one of three places. */
export interface SortedGuests {
  managed: Managed[];
  exempt: GuestSample[];
  /** They carry the UUID of a guest before them. */
  duplicates: GuestSample[];
}

/** What was known before a sample. */
export interface Before {
  state: HostState | undefined;
  /** Of the last plan, by UUID. */
  plans: ReadonlyMap<string, GuestPlan>;
  /** Guests that are new on this host and known from another, by UUID. */
  arrived: ReadonlyMap<string, ArrivedGuest>;
}

export function sortGuests(sample: Sample, before: Before, settings: Settings): SortedGuests {
  const sorted: SortedGuests = { managed: [], exempt: [], duplicates: [] };
  const seen = new Set<string>();
  for (const guest of sample.guests) {
    if (seen.has(guest.uuid)) sorted.duplicates.push(guest);
    else if (isExempt(guest)) sorted.exempt.push(guest);
    else sorted.managed.push(manage(guest, sample, before, settings));
    seen.add(guest.uuid);
  }
  return sorted;
}

function manage(guest: GuestSample, sample: Sample, known: Before, settings: Settings): Managed {
  const { state: previous, plans } = known;
  const before = plans.get(guest.uuid);
  const here = previous?.guests[guest.uuid];
  const arrived = here === undefined ? known.arrived.get(guest.uuid) : undefined;
  const state = here ?? (arrived && arrivedState(arrived, guest, sample));
  // Sequences of another boot mean nothing in this one.
  const isTimed = arrived !== undefined || (here !== undefined && previous?.bootId === sample.bootId);
  const readable = isReadable(guest);
  const use = readable ? guestUse(guest, settings) : lastUse(guest, state, before);
  const start = state ?? { class: firstClass(guest.declared), count: 0 };
  // A declaration is no measurement: it holds for a guest that cannot be read, too.
  const decidable = readable || guest.declared.class !== "auto";
  const wasMoved = movedByCounts(arrived?.reason ?? before?.reasons[0]);
  const cooling =
    state !== undefined && isTimed && wasMoved && sample.sequence - state.since < coolDownUs(settings);
  const classified = decidable
    ? classify(start, guest.declared, use, settings, cooling)
    : { class: start.class, count: start.count, crossed: false };
  const stays = state !== undefined && classified.movedFrom === undefined && isTimed;
  return {
    sample: guest,
    use,
    readable,
    isNew: state === undefined,
    arrived,
    fromOtherBoot: here !== undefined && previous?.bootId !== sample.bootId,
    redeclared: state !== undefined && state.declared !== guest.declared.class,
    classified,
    mostCores: Math.min(guest.vcpus.length, guest.allowedCpus?.length ?? Infinity),
    before,
    since: stays ? state.since : sample.sequence,
    delay: state?.delay,
    starvedUs: here?.starvedUs ?? 0,
  };
}

/** As if it had been on this host all the time: how long it is in its list is told in this host's clock. */
function arrivedState(arrived: ArrivedGuest, { name }: GuestSample, { sequence }: Sample): GuestState {
  const { class: list, count, declared, usage, inListUs } = arrived;
  // This host may have booted after the guest came into its list.
  return { name, class: list, count, declared, usage, since: Math.max(0, sequence - inListUs) };
}

/** What is not known now is taken to be as it was; a vCPU under a quota is taken to want just that. */
function lastUse(guest: GuestSample, state: GuestState | undefined, before: GuestPlan | undefined): GuestUse {
  const usage = state?.usage ?? 0;
  const vcpuDemand = guest.vcpus.map((_, i) => {
    const bandwidth = before?.vcpus[i]?.bandwidth;
    return typeof bandwidth === "number" ? bandwidth : usage;
  });
  return { usage, delay: 0, demand: usage, vcpuDemand };
}
