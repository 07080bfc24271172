/** Declared delays on one host: which services count, and what their waiting leaves to scientific guests. */
import type { Settings } from "../settings.ts";
import type { DelayState } from "../state.ts";
import { ACTIVE_USAGE, followDelay } from "./delay-control.ts";
import type { DelaySeen, DelayWatch } from "./delay-control.ts";
import { EQUAL_RUNG, FIRST_RUNG, TOP_RUNG } from "./delay-ladder.ts";
import type { Kept } from "./kept.ts";
import type { Managed, SortedGuests } from "./managed.ts";

export interface DelayHold {
  /** For the next period; {@link FIRST_RUNG} where nobody declared a delay. */
  rung: number;
  /** Somebody did. */
  isDeclared: boolean;
  /** To be remembered of each service that did, by UUID. */
  states: ReadonlyMap<string, DelayState>;
  /** The service that waited for too long, in the period that brought the rung down. */
  loweredBy?: { name: string; delay: number; slaDelay: number };
}

/** A service uses less than this part of what it was promised and wants: it is short of its SLA (as in the alert). */
const GOT_MAX = 0.95;

const UNDECLARED: DelayHold = { rung: FIRST_RUNG, isDeclared: false, states: new Map() };

/** What a service declared, as far as it is held: preset `paper` has no feedback. */
export function heldDelay({ sample, classified }: Managed, { preset }: Settings): number | undefined {
  return preset === "default" && classified.class === "service" ? sample.declared.slaDelay : undefined;
}

export function holdDelay(
  { managed, exempt, duplicates }: SortedGuests,
  kept: readonly Kept[],
  settings: Settings,
): DelayHold {
  const declared = managed.filter((guest) => heldDelay(guest, settings) !== undefined);
  // A guest that cannot be read just now has not withdrawn what it declared.
  const silent = settings.preset === "default" ? kept.filter(({ state }) => state.delay !== undefined) : [];
  if (declared.length + silent.length === 0) return UNDECLARED;
  const watches: DelayWatch[] = [
    ...declared.map((guest) => watchOf(guest, settings)),
    ...silent.map(({ state }) => ({ slaDelay: 1, before: state.delay, seen: undefined })),
  ];
  const top = topRung(managed, kept, exempt.length + duplicates.length, settings);
  const isTried = managed.some(
    ({ classified, readable, use }) =>
      classified.class === "scientific" && readable && use.usage >= ACTIVE_USAGE,
  );
  const { rung, next, loweredBy } = followDelay(watches, top, isTried);
  const uuids = [...declared.map(({ sample }) => sample.uuid), ...silent.map(({ uuid }) => uuid)];
  const lowered = loweredBy === undefined ? undefined : declared[loweredBy];
  return {
    rung,
    isDeclared: true,
    states: new Map(next.map((state, i) => [uuids[i] ?? "", state])),
    ...(lowered === undefined
      ? {}
      : {
          loweredBy: {
            name: lowered.sample.name,
            delay: lowered.use.delay,
            slaDelay: lowered.sample.declared.slaDelay ?? 0,
          },
        }),
  };
}

/**
 * Services that declared nothing rank first, as they always do; guests that are not ours are not asked, and are never worse off
 * than without us.
 */
function topRung(
  managed: readonly Managed[],
  kept: readonly Kept[],
  others: number,
  settings: Settings,
): number {
  const isOpen =
    managed.every(
      (guest) => guest.classified.class === "scientific" || heldDelay(guest, settings) !== undefined,
    ) && kept.every(({ state }) => state.class === "scientific" || state.delay !== undefined);
  // Who comes to a host without scientific guests begins where all begin.
  const isTaken = [...managed.map(({ classified }) => classified), ...kept.map(({ state }) => state)].some(
    (guest) => guest.class === "scientific",
  );
  if (!isOpen || !isTaken) return FIRST_RUNG;
  return others > 0 ? EQUAL_RUNG : TOP_RUNG;
}

function watchOf(guest: Managed, settings: Settings): DelayWatch {
  return {
    slaDelay: heldDelay(guest, settings) ?? 1,
    before: guest.delay,
    seen: guest.readable ? seenOf(guest) : undefined,
  };
}

function seenOf({ sample, use: { usage, delay, demand } }: Managed): DelaySeen {
  const vcpus = sample.vcpus.length;
  const { slaCores = 0 } = sample.declared;
  const isShort = usage * vcpus < GOT_MAX * Math.min(demand * vcpus, slaCores);
  return { usage, delay, isShort };
}
