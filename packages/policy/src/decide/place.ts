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
  // Those who can keep their CPUs come first, so that nobody takes them away.
  const keep = candidates.filter((tenant) => canKeep(tenant, ground.cpus)).sort(byClaim);
  const begin = ground.mayBegin ? candidates.filter((tenant) => !keep.includes(tenant)).sort(byClaim) : [];
  for (const candidate of [...keep, ...begin]) {
    const keeps = keep.includes(candidate);
    const chosen = keeps ? candidate.before : highest(candidate, shared);
    if (chosen === undefined) continue;
    const rest = shared.filter((cpu) => !chosen.includes(cpu));
    // Who has CPUs alone keeps them through a busy moment of the host.
    const outside = ground.reserveCores + (keeps ? 0 : ground.unmanagedCores);
    const own = groupOf.get(candidate.uuid);
    if (!holdsOthers(groups, own, rest, outside)) continue;
    exclusive.set(candidate.uuid, chosen);
    if (own !== undefined) own.sharing -= 1;
    shared = rest;
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

/** The highest free ones: the host's own work tends to sit on the lowest. */
function highest(tenant: Tenant, free: readonly number[]): readonly number[] | undefined {
  const { vcpus, allowedCpus } = tenant;
  const open = allowedCpus === undefined ? free : free.filter((cpu) => allowedCpus.includes(cpu));
  return open.length < vcpus ? undefined : open.slice(open.length - vcpus);
}

/**
 * Whether the CPUs that are left hold what the others are entitled to, within their pins.
 * @param own the group of the guest that would leave the shared CPUs
 */
function holdsOthers(
  groups: readonly PinGroup[],
  own: PinGroup | undefined,
  rest: readonly number[],
  outsideCores: number,
): boolean {
  // One CPU always stays: VMM threads and the host have to run somewhere.
  if (rest.length === 0) return false;
  return groups.every((group) => {
    const left = group.pins === undefined ? rest.length : rest.filter((cpu) => group.pins?.has(cpu)).length;
    if (left === 0 && group.sharing > Number(group === own)) return false;
    const needed = group.neededCores + (group.pins === undefined ? outsideCores : 0);
    return suffices(left, Math.min(needed, group.usable));
  });
}
