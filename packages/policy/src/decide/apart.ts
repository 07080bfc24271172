/**
 * A CPU for each vCPU, shared with services: for a scientific guest that has no CPUs alone and as many vCPUs as there are CPUs
 * that it may use.
 *
 * Left to the kernel, two of its vCPUs come to stand on one CPU while a service has the other, and stay there when the
 * service is done: each then waits for the other at the next barrier (measured: docs/benchmarks.md, `frontier`). A guest with fewer
 * vCPUs than CPUs is left to the kernel, which finds it an idle CPU.
 *
 * Hazard: a vCPU that may run on one CPU only starves where somebody has that CPU for long, a service that is always busy or a
 * process of the host. Who starved for {@link STARVED_US} (one period, where these are not shorter) is let go, and held apart again only
 * where there is room for it; that is looked at once in {@link REST_PERIODS} periods, so that a load which comes and goes costs it little.
 */
import type { GuestSample, Sample } from "../contracts/sample.ts";
import type { Settings } from "../settings.ts";
import { steadyCores } from "./allocate.ts";
import type { Managed, SortedGuests } from "./managed.ts";
import type { Placement } from "./place.ts";
import { limitedDemand } from "./service-limit.ts";
import { isReadable } from "./use.ts";

/** Part of a period that a vCPU waits when it starves, and of that what another of the guest's waits meanwhile at most. */
const STARVED_DELAY = 0.75;
const OTHER_DELAY_MAX = 0.5;
/** A burst of a service may take a CPU for a whole period where periods are short. */
const STARVED_US = 1_000_000;
/** With that much of one CPU, or of all CPUs, in the hands of others there is no room to begin. */
const ROOM_CPU_MAX = 0.6;
const ROOM_HOST_MAX = 0.5;
const REST_PERIODS = 60;

/** How the vCPUs of a guest are held apart. */
export interface Apart {
  /** The CPU of each vCPU in order, by UUID. */
  cpus: ReadonlyMap<string, readonly number[]>;
  /** UUIDs of guests that would be held apart, were there not somebody who takes one of their CPUs for long. */
  starved: ReadonlySet<string>;
  /** For how long one of the vCPUs of a guest that is held apart has starved by now, in microseconds, by UUID; absent: not at all. */
  starvedUs: ReadonlyMap<string, number>;
}

/** What a guest's last plan said of this. */
export type ApartBefore = "apart" | "starved" | undefined;

const NOBODY_APART: Apart = {
  cpus: new Map(),
  starved: new Set(),
  starvedUs: new Map(),
};

/**
 * @param before what the last plan of a guest said
 * @param lastSequence of the last decision, in microseconds of the host's clock; undefined: none, or of another boot
 */
export function holdApart(
  sorted: SortedGuests,
  placement: Pick<Placement, "exclusive" | "shared">,
  sample: Sample,
  settings: Settings,
  { before, lastSequence }: { before: (guest: Managed) => ApartBefore; lastSequence: number | undefined },
): Apart {
  if (settings.preset === "paper") return NOBODY_APART;
  const cpus = new Map<string, readonly number[]>();
  const starved = new Set<string>();
  const starvedUs = new Map<string, number>();
  const isRoom = hasRoom(sorted, sample, settings);
  const mayReturn = isRoom && isNextRest(lastSequence, sample.sequence, settings);
  for (const guest of sorted.managed) {
    const seats = seatsOf(guest, placement);
    if (seats === undefined) continue;
    const was = before(guest);
    const soFarUs = was === "apart" ? starvedFor(guest, sample) : 0;
    const isApart = was === "apart" ? soFarUs < STARVED_US : was === "starved" ? mayReturn : isRoom;
    if (isApart) cpus.set(guest.sample.uuid, seats);
    if (isApart && soFarUs > 0) starvedUs.set(guest.sample.uuid, soFarUs);
    if (!isApart && was !== undefined) starved.add(guest.sample.uuid);
  }
  return { cpus, starved, starvedUs };
}

/** The CPUs of a guest that has as many vCPUs as CPUs, no pins of its own for single vCPUs, and none of them alone. */
function seatsOf(
  { sample, classified }: Managed,
  { exclusive, shared }: Pick<Placement, "exclusive" | "shared">,
): readonly number[] | undefined {
  if (classified.class !== "scientific" || exclusive.has(sample.uuid)) return undefined;
  const { vcpus, allowedCpus } = sample;
  if (vcpus.length < 2 || vcpus.some((vcpu) => vcpu.allowedCpus !== undefined)) return undefined;
  const open = allowedCpus === undefined ? shared : shared.filter((cpu) => allowedCpus.includes(cpu));
  return open.length === vcpus.length ? open : undefined;
}

/** In microseconds. A period in which it cannot be read changes nothing. */
function starvedFor({ sample: guest, starvedUs }: Managed, { periodMs }: Sample): number {
  if (!isReadable(guest)) return Math.min(starvedUs, STARVED_US - 1);
  return starves(guest) ? starvedUs + Math.ceil(periodMs * 1000) : 0;
}

/** One vCPU waits for a CPU nearly all the time, and another of the same guest does not. */
function starves(guest: GuestSample): boolean {
  const delays = guest.vcpus.map(({ delay }) => delay);
  const most = Math.max(...delays);
  return most >= STARVED_DELAY && Math.min(...delays) <= most * OTHER_DELAY_MAX;
}

/** Whether others leave every CPU free for a good part of the time. */
function hasRoom({ managed, exempt, duplicates }: SortedGuests, sample: Sample, settings: Settings): boolean {
  // Steady: the same whatever the order of the guests.
  let cores = steadyCores(sample.hostRun);
  for (const guest of managed) {
    if (guest.classified.class !== "service") continue;
    for (const wanted of limitedDemand(guest, settings)) {
      if (wanted > ROOM_CPU_MAX) return false;
      cores += steadyCores(wanted);
    }
  }
  for (const { vcpus } of [...exempt, ...duplicates]) {
    for (const { run } of vcpus) {
      if (run > ROOM_CPU_MAX) return false;
      cores += steadyCores(run);
    }
  }
  return cores <= ROOM_HOST_MAX * sample.cpus.length;
}

/** Whether one of the times lies between two decisions at which guests that starved may return. */
function isNextRest(last: number | undefined, now: number, settings: Settings): boolean {
  const restUs = REST_PERIODS * settings.checkPeriodMs * 1000;
  return last === undefined || Math.floor(last / restUs) !== Math.floor(now / restUs);
}
