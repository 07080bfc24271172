/**
 * Guests grouped by the CPUs that their configuration pins them to, or each of their vCPUs. Orchestrators pin most guests
 * of a host alike, so there are few groups. What a group needs includes what the groups inside its CPUs need: each set of
 * CPUs must hold everybody who cannot leave it (Hall's condition, over the sets that occur).
 */
import { steadyCores, suffices } from "./allocate.ts";
import type { Tenant } from "./place.ts";

export interface PinGroup {
  /** Undefined: anywhere. This group is always there, and includes all others. */
  pins: ReadonlySet<number> | undefined;
  /** What the services that cannot leave these CPUs are entitled to, in cores. */
  neededCores: number;
  /** Guests with vCPUs of this very group that have no CPUs alone. */
  sharing: number;
  /** Its shared CPUs, and what managed guests can have of them, in cores. */
  leftCpus: number;
  leftCores: number;
}

export interface PinGroups {
  /** The first one is `anywhere`. */
  groups: readonly PinGroup[];
  /** Groups of a guest: one, or more where its vCPUs are pinned apart. */
  of: (tenant: Tenant) => readonly PinGroup[];
}

/**
 * @param coresOf what managed guests can have of a CPU
 * @returns guests that are pinned to none of the CPUs (isolated ones, say) take no part: no group holds them
 */
export function alikePinned(
  tenants: readonly Tenant[],
  cpus: readonly number[],
  coresOf: (cpu: number) => number,
): PinGroups {
  const known = new KnownGroups(cpus, coresOf);
  const ofTenant = new Map<string, readonly PinGroup[]>();
  const anywhere = known.groupOf(undefined);
  const onlyAnywhere = [anywhere];
  for (const tenant of tenants) {
    const { allowedCpus, vcpuPins, vcpus } = tenant;
    if (allowedCpus === undefined && vcpuPins === undefined) {
      anywhere.sharing += 1;
      if (tenant.class === "service") anywhere.neededCores += tenant.assuredCores;
      ofTenant.set(tenant.uuid, onlyAnywhere);
      continue;
    }
    const own = new Set<PinGroup>();
    for (const pins of vcpuPins ?? [allowedCpus]) {
      const group = known.groupOf(pins);
      if (group.leftCpus === 0) continue;
      own.add(group);
      if (tenant.class === "service")
        group.neededCores += steadyCores(tenant.assuredCores / (vcpuPins === undefined ? 1 : vcpus));
    }
    for (const group of own) group.sharing += 1;
    ofTenant.set(tenant.uuid, [...own]);
  }
  const groups = known.groups.filter((group, i) => i === 0 || group.leftCpus > 0);
  addInner(groups);
  return { groups, of: ({ uuid }) => ofTenant.get(uuid) ?? [] };
}

class KnownGroups {
  readonly groups: PinGroup[] = [];
  readonly #pins: (readonly number[] | undefined)[] = [];
  readonly #cpus: readonly number[];
  readonly #coresOf: (cpu: number) => number;

  constructor(cpus: readonly number[], coresOf: (cpu: number) => number) {
    this.#cpus = cpus;
    this.#coresOf = coresOf;
    this.groupOf(undefined);
  }

  groupOf(allowed: readonly number[] | undefined): PinGroup {
    const at = this.#pins.findIndex((pins) => isSameSet(pins, allowed));
    const known = this.groups[at];
    if (known !== undefined) return known;
    const pins = allowed === undefined ? undefined : new Set(allowed);
    const group: PinGroup = { pins, neededCores: 0, sharing: 0, leftCpus: 0, leftCores: 0 };
    for (const cpu of this.#cpus) {
      if (pins !== undefined && !pins.has(cpu)) continue;
      group.leftCpus += 1;
      group.leftCores += this.#coresOf(cpu);
    }
    this.#pins.push(allowed);
    this.groups.push(group);
    return group;
  }
}

/** Both ascending. */
function isSameSet(a: readonly number[] | undefined, b: readonly number[] | undefined): boolean {
  if (a === b) return true;
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((cpu, i) => cpu === b[i]);
}

/** Adds to each group what the groups inside it need. */
function addInner(groups: readonly PinGroup[]): void {
  if (groups.length === 1) return;
  const own = groups.map((group) => group.neededCores);
  for (const outer of groups) {
    for (const [i, inner] of groups.entries()) {
      const cores = own[i] ?? 0;
      if (cores > 0 && inner !== outer && isInside(inner, outer)) outer.neededCores += cores;
    }
  }
}

function isInside({ pins: inner }: PinGroup, { pins: outer }: PinGroup): boolean {
  if (outer === undefined) return true;
  if (inner === undefined || inner.size > outer.size) return false;
  for (const cpu of inner) if (!outer.has(cpu)) return false;
  return true;
}

/** Keeps account of the shared CPUs that one guest would take, against what everybody else needs. */
export class Taking {
  readonly #groups: readonly PinGroup[];
  readonly #own: readonly PinGroup[];
  readonly #coresOf: (cpu: number) => number;
  readonly #outsideCores: number;
  readonly #cpus: number[];
  readonly #cores: number[];

  /** @param outsideCores what must stay for who is no tenant, on whatever CPUs */
  constructor(
    { groups, of }: PinGroups,
    tenant: Tenant,
    coresOf: (cpu: number) => number,
    outsideCores: number,
  ) {
    this.#groups = groups;
    this.#own = of(tenant);
    this.#coresOf = coresOf;
    this.#outsideCores = outsideCores;
    this.#cpus = groups.map(() => 0);
    this.#cores = groups.map(() => 0);
  }

  /** Whether every group that the CPU belongs to can spare it, beside those taken before. */
  canTake(cpu: number): boolean {
    return this.#groups.every((group, i) => {
      if (group.pins !== undefined && !group.pins.has(cpu)) return true;
      const cpus = (this.#cpus[i] ?? 0) + 1;
      return this.#canSpare(group, cpus, (this.#cores[i] ?? 0) + this.#coresOf(cpu));
    });
  }

  take(cpu: number): void {
    for (const [i, group] of this.#groups.entries()) {
      if (group.pins !== undefined && !group.pins.has(cpu)) continue;
      this.#cpus[i] = (this.#cpus[i] ?? 0) + 1;
      this.#cores[i] = (this.#cores[i] ?? 0) + this.#coresOf(cpu);
    }
  }

  /** Whether all can be taken together. */
  canTakeAll(cpus: readonly number[]): boolean {
    return cpus.every((cpu) => {
      const can = this.canTake(cpu);
      this.take(cpu);
      return can;
    });
  }

  /** The pinned groups that cannot spare a single CPU. */
  exhausted(): ReadonlySet<number>[] {
    return this.#groups.flatMap((group) =>
      group.pins === undefined || this.#canSpare(group, 1, 1) ? [] : [group.pins],
    );
  }

  /** What was taken leaves the shared CPUs, and the guest those who share them. */
  commit(): void {
    this.#move(1);
  }

  /** The opposite of {@link commit}. */
  giveBack(): void {
    this.#move(-1);
  }

  #move(sign: 1 | -1): void {
    for (const [i, group] of this.#groups.entries()) {
      group.leftCpus -= sign * (this.#cpus[i] ?? 0);
      group.leftCores -= sign * (this.#cores[i] ?? 0);
    }
    for (const group of this.#own) group.sharing -= sign;
  }

  #canSpare(group: PinGroup, cpus: number, cores: number): boolean {
    const isAnywhere = group.pins === undefined;
    const someoneStays = group.sharing > Number(this.#own.includes(group));
    // One CPU always stays: VMM threads and the host have to run somewhere.
    if (group.leftCpus - cpus < Number(isAnywhere || someoneStays)) return false;
    const needed = group.neededCores + (isAnywhere ? this.#outsideCores : 0);
    return suffices(group.leftCores - cores, needed);
  }
}
