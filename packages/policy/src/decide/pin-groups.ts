/**
 * Guests grouped by the CPUs that their configuration pins them to. Orchestrators pin most guests of a host alike, so
 * there are few groups. What a group needs includes what the groups inside its CPUs need: each set of CPUs must hold
 * everybody who cannot leave it (Hall's condition, over the sets that occur).
 */
import type { Tenant } from "./place.ts";

export interface PinGroup {
  /** Undefined: anywhere. This group is always there, and includes all others. */
  pins: ReadonlySet<number> | undefined;
  /** CPUs of the host that the group can use at all. */
  usable: number;
  /** What the services that cannot leave these CPUs are entitled to, in cores. */
  neededCores: number;
  /** Guests of this very group that have no CPUs alone. */
  sharing: number;
}

/** Guests that are pinned to none of the CPUs (isolated ones, say) take no part: no group holds them. */
export function alikePinned(
  tenants: readonly Tenant[],
  cpus: readonly number[],
): { groups: PinGroup[]; groupOf: ReadonlyMap<string, PinGroup> } {
  const anywhere: PinGroup = { pins: undefined, usable: cpus.length, neededCores: 0, sharing: 0 };
  const groups = [anywhere];
  const groupOf = new Map<string, PinGroup>();
  const members: [PinGroup, number][] = [];
  for (const tenant of tenants) {
    const group = tenant.allowedCpus === undefined ? anywhere : groupFor(groups, tenant.allowedCpus, cpus);
    if (group.usable === 0) continue;
    groupOf.set(tenant.uuid, group);
    group.sharing += 1;
    if (tenant.class === "service") members.push([group, tenant.assuredCores]);
  }
  for (const [inner, cores] of members) {
    for (const outer of groups) if (isInside(inner, outer)) outer.neededCores += cores;
  }
  return { groups: groups.filter((group) => group === anywhere || group.usable > 0), groupOf };
}

function groupFor(groups: PinGroup[], allowed: readonly number[], cpus: readonly number[]): PinGroup {
  const known = groups.find(
    ({ pins }) => pins?.size === allowed.length && allowed.every((cpu) => pins.has(cpu)),
  );
  if (known !== undefined) return known;
  const pins = new Set(allowed);
  const group = { pins, usable: cpus.filter((cpu) => pins.has(cpu)).length, neededCores: 0, sharing: 0 };
  groups.push(group);
  return group;
}

function isInside({ pins: inner }: PinGroup, { pins: outer }: PinGroup): boolean {
  if (outer === undefined || inner === outer) return true;
  if (inner === undefined || inner.size > outer.size) return false;
  for (const cpu of inner) if (!outer.has(cpu)) return false;
  return true;
}
