/**
 * First placement, on a flat topology: a scientific guest gets whole CPUs of its own, one a vCPU, where the services
 * keep at least what they are entitled to on the others.
 *
 * The rule looks at entitlements, not at what services use at the moment: they change rarely, so CPUs change hands
 * rarely. A guest with more vCPUs than CPUs it could have alone has no exclusive layout: squeezing vCPUs that meet at
 * barriers onto fewer CPUs makes each wait for the other.
 */

/** What placement needs to know of a managed guest. Amounts in cores. */
export interface Tenant {
  uuid: string;
  class: "service" | "scientific";
  vcpus: number;
  entitlementCores: number;
  /** CPUs its own configuration pins it to; absent: anywhere. */
  allowedCpus?: readonly number[] | undefined;
  /** CPUs it had alone in the last plan. */
  before?: readonly number[] | undefined;
}

export interface Placement {
  /** Guests that have CPUs alone: one CPU per vCPU, by UUID. */
  exclusive: ReadonlyMap<string, readonly number[]>;
  /** CPUs of all others; all usable CPUs where nobody has any alone. */
  shared: readonly number[];
}

/** @param unmanagedCores CPU that must stay outside: the host's reserve and what exempt guests and the host use */
export function place(
  tenants: readonly Tenant[],
  cpus: readonly number[],
  unmanagedCores: number,
  exclusiveAllowed: boolean,
): Placement {
  const exclusive = new Map<string, readonly number[]>();
  let shared = [...cpus];
  if (!exclusiveAllowed) return { exclusive, shared };
  const candidates = tenants.filter((tenant) => tenant.class === "scientific").toSorted(byClaim);
  for (const candidate of candidates) {
    const chosen = chooseCpus(candidate, shared);
    if (chosen === undefined) continue;
    const rest = shared.filter((cpu) => !chosen.includes(cpu));
    const others = tenants.filter((tenant) => tenant !== candidate && !exclusive.has(tenant.uuid));
    // Who has CPUs alone keeps them through a busy moment of the host.
    const margin = candidate.before === undefined ? unmanagedCores : 0;
    if (!holdsOthers(others, rest, margin)) continue;
    exclusive.set(candidate.uuid, chosen);
    shared = rest;
  }
  return { exclusive, shared };
}

/** Those who have CPUs alone come first, then the larger guests; the UUID makes the order total. */
function byClaim(a: Tenant, b: Tenant): number {
  const had = Number(b.before !== undefined) - Number(a.before !== undefined);
  if (had !== 0) return had;
  return b.vcpus - a.vcpus || (a.uuid < b.uuid ? -1 : 1);
}

/** The CPUs it had, else the highest free ones: the host's own work tends to sit on the lowest. */
function chooseCpus(tenant: Tenant, free: readonly number[]): readonly number[] | undefined {
  const { before, vcpus, allowedCpus } = tenant;
  const open = allowedCpus === undefined ? free : free.filter((cpu) => allowedCpus.includes(cpu));
  if (before?.length === vcpus && before.every((cpu) => open.includes(cpu))) return before;
  return open.length < vcpus ? undefined : open.slice(open.length - vcpus);
}

/** Whether the CPUs that are left hold what the others are entitled to, each within its own pins. */
function holdsOthers(others: readonly Tenant[], rest: readonly number[], margin: number): boolean {
  // One CPU always stays: VMM threads and the host have to run somewhere.
  if (rest.length === 0) return false;
  let needed = margin;
  for (const other of others) {
    const { allowedCpus } = other;
    const reachable =
      allowedCpus === undefined ? rest.length : rest.filter((cpu) => allowedCpus.includes(cpu)).length;
    if (reachable === 0) return false;
    if (other.class === "scientific") continue;
    if (other.entitlementCores > reachable) return false;
    needed += other.entitlementCores;
  }
  return needed <= rest.length;
}
