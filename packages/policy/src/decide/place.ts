/**
 * First placement, on a flat topology: a scientific guest gets whole CPUs of its own, one a vCPU, when its share covers
 * all its vCPUs and the services keep what they are entitled to on the other CPUs.
 *
 * The rule looks at entitlements, not at what services use at the moment: they change rarely, so CPUs change hands
 * rarely. A guest with more vCPUs than CPUs it could have alone has no exclusive layout: squeezing vCPUs that meet at
 * barriers onto fewer CPUs makes each wait for the other.
 */
import type { GuestClass } from "../contracts/fields.ts";
import { suffices } from "./allocate.ts";
import { alikePinned } from "./pin-groups.ts";
import type { PinGroup } from "./pin-groups.ts";

/** What placement needs to know of a managed guest. Amounts in cores. */
export interface Tenant {
  uuid: string;
  class: GuestClass;
  vcpus: number;
  /** What it keeps when every service takes all that it is entitled to. */
  assuredCores: number;
  /** CPUs its own configuration pins it to; absent: anywhere. */
  allowedCpus?: readonly number[] | undefined;
  /** CPUs it had alone in the last plan. */
  before?: readonly number[] | undefined;
}

/** CPUs to place on, and what of them must stay outside for who is no tenant. */
export interface Ground {
  /** Ascending. */
  cpus: readonly number[];
  reserveCores: number;
  /** Used now by the host and by exempt guests. */
  unmanagedCores: number;
  /** Whether guests may begin to have CPUs alone, or only keep those they had. */
  mayBegin: boolean;
}

export interface Placement {
  /** Guests that have CPUs alone: one CPU per vCPU, by UUID. */
  exclusive: ReadonlyMap<string, readonly number[]>;
  /** CPUs of all others; all usable CPUs where nobody has any alone. */
  shared: readonly number[];
}

export function place(tenants: readonly Tenant[], ground: Ground): Placement {
  const exclusive = new Map<string, readonly number[]>();
  let shared = ground.cpus;
  const candidates = tenants.filter(
    (tenant) => tenant.class === "scientific" && suffices(tenant.assuredCores, tenant.vcpus),
  );
  if (candidates.length === 0) return { exclusive, shared };
  const { groups, groupOf } = alikePinned(tenants, ground.cpus);
  const take = (candidate: Tenant, preferred: readonly number[], outsideCores: number): boolean => {
    const own = groupOf.get(candidate.uuid);
    const chosen = spare(preferred, candidate.vcpus, { groups, own, shared, outsideCores });
    if (chosen === undefined) return false;
    exclusive.set(candidate.uuid, chosen);
    if (own !== undefined) own.sharing -= 1;
    shared = shared.filter((cpu) => !chosen.includes(cpu));
    return true;
  };
  // Who has CPUs alone comes first, so that nobody takes them away, and keeps them through a busy moment of the host.
  const begin: Tenant[] = [];
  for (const candidate of candidates.sort(byClaim)) {
    const keeps =
      canKeep(candidate, ground.cpus) && take(candidate, candidate.before ?? [], ground.reserveCores);
    if (!keeps) begin.push(candidate);
  }
  if (!ground.mayBegin) return { exclusive, shared };
  for (const candidate of begin) {
    // The host's own work tends to sit on the lowest CPUs.
    const highestFirst = shared.filter((cpu) => candidate.allowedCpus?.includes(cpu) ?? true).reverse();
    take(candidate, highestFirst, ground.reserveCores + ground.unmanagedCores);
  }
  return { exclusive, shared };
}

/** The larger guests first; the UUID makes the order total. */
function byClaim(a: Tenant, b: Tenant): number {
  return b.vcpus - a.vcpus || (a.uuid < b.uuid ? -1 : 1);
}

function canKeep({ before, vcpus, allowedCpus }: Tenant, cpus: readonly number[]): boolean {
  if (before?.length !== vcpus) return false;
  return before.every((cpu) => cpus.includes(cpu) && (allowedCpus?.includes(cpu) ?? true));
}

interface Shared {
  groups: readonly PinGroup[];
  /** Group of the guest that would leave the shared CPUs. */
  own: PinGroup | undefined;
  shared: readonly number[];
  outsideCores: number;
}

/** The first of the preferred CPUs that everybody else can spare, as many as asked for, ascending; else undefined. */
function spare(preferred: readonly number[], count: number, from: Shared): readonly number[] | undefined {
  const room = from.groups.map((group) => roomOf(group, from));
  const chosen: number[] = [];
  for (const cpu of preferred) {
    if (chosen.length === count) break;
    const touched = from.groups.map(({ pins }) => pins?.has(cpu) ?? true);
    if (touched.some((touches, i) => touches && (room[i] ?? 0) < 1)) continue;
    touched.forEach((touches, i) => (room[i] = (room[i] ?? 0) - Number(touches)));
    chosen.push(cpu);
  }
  return chosen.length === count ? chosen.sort((a, b) => a - b) : undefined;
}

/** How many of its shared CPUs a group can lose: it must hold what its services are entitled to, and its guests. */
function roomOf(group: PinGroup, { own, shared, outsideCores }: Shared): number {
  const { pins, neededCores, sharing } = group;
  if (pins === undefined) {
    // One CPU always stays: VMM threads and the host have to run somewhere.
    return wholeCores(shared.length - Math.max(1, neededCores + outsideCores));
  }
  const left = shared.reduce((count, cpu) => count + Number(pins.has(cpu)), 0);
  const someoneStays = sharing > Number(group === own);
  return wholeCores(left - Math.max(Number(someoneStays), neededCores));
}

function wholeCores(cores: number): number {
  const whole = Math.ceil(cores);
  return suffices(cores, whole) ? whole : whole - 1;
}
