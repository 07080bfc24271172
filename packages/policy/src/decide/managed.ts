/** The managed guests of one sample: who they are, what they used, and which list they are in now. */
import type { GuestPlan } from "../contracts/plan.ts";
import type { GuestSample, Sample } from "../contracts/sample.ts";
import { coolDownUs } from "../settings.ts";
import type { Settings } from "../settings.ts";
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
}

/** The guests of a sample, each in one of three places. */
export interface SortedGuests {
  managed: Managed[];
  exempt: GuestSample[];
  /** They carry the UUID of a guest before them. */
  duplicates: GuestSample[];
}

export function sortGuests(
  sample: Sample,
  previous: HostState | undefined,
  plansBefore: ReadonlyMap<string, GuestPlan>,
  settings: Settings,
): SortedGuests {
  const sorted: SortedGuests = { managed: [], exempt: [], duplicates: [] };
  const seen = new Set<string>();
  for (const guest of sample.guests) {
    if (seen.has(guest.uuid)) sorted.duplicates.push(guest);
    else if (isExempt(guest)) sorted.exempt.push(guest);
    else sorted.managed.push(manage(guest, previous, plansBefore.get(guest.uuid), sample, settings));
    seen.add(guest.uuid);
  }
  return sorted;
}

function manage(
  guest: GuestSample,
  previous: HostState | undefined,
  before: GuestPlan | undefined,
  sample: Sample,
  settings: Settings,
): Managed {
  const state = previous?.guests[guest.uuid];
  const readable = isReadable(guest);
  const use = readable ? guestUse(guest, settings) : lastUse(guest, state, before);
  const start = state ?? { class: firstClass(guest.declared), count: 0 };
  // A declaration is no measurement: it holds for a guest that cannot be read, too.
  const decidable = readable || guest.declared.class !== "auto";
  const classified = decidable
    ? classify(start, guest.declared, use, settings, isCooling(state, before, previous, sample, settings))
    : { class: start.class, count: start.count, crossed: false };
  // Sequences of another boot mean nothing in this one.
  const stays =
    state !== undefined && classified.movedFrom === undefined && previous?.bootId === sample.bootId;
  return {
    sample: guest,
    use,
    readable,
    isNew: state === undefined,
    fromOtherBoot: state !== undefined && previous?.bootId !== sample.bootId,
    redeclared: state !== undefined && state.declared !== guest.declared.class,
    classified,
    mostCores: Math.min(guest.vcpus.length, guest.allowedCpus?.length ?? Infinity),
    before,
    since: stays ? state.since : sample.sequence,
    delay: state?.delay,
  };
}

/**
 * Whether its counts moved it less than the cool-down ago. Who was never moved (new, declared, known from before a boot)
 * is free to be. Its plan says why it is in its list; where that was lost there is no cool-down.
 */
function isCooling(
  state: GuestState | undefined,
  before: GuestPlan | undefined,
  previous: HostState | undefined,
  sample: Sample,
  settings: Settings,
): boolean {
  if (state === undefined || previous?.bootId !== sample.bootId || !movedByCounts(before)) return false;
  return sample.sequence - state.since < coolDownUs(settings);
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
