/** Who has which CPUs alone while a placement is made: what is taken, what everybody else needs, what may be taken. */
import { flatTopology } from "../topology.ts";
import { CLAIMED_BY_OTHERS } from "./claims.ts";
import { describeLayout, GAIN_MIN, layoutCost, leastCost } from "./layout-cost.ts";
import type { Terrain } from "./layout-cost.ts";
import { Matching } from "./match.ts";
import { alikePinned, Taking } from "./pin-groups.ts";
import type { PinGroups } from "./pin-groups.ts";
import type { Ground, Tenant } from "./place.ts";
import { findSeats } from "./seats.ts";
import type { Seats } from "./seats.ts";

export class Board {
  readonly exclusive = new Map<string, readonly number[]>();
  readonly #ground: Ground;
  readonly #groups: PinGroups;
  /** 1 for each usable CPU that nobody has alone, by CPU number. */
  readonly #isShared: Uint8Array;
  #terrain: Terrain | undefined;

  constructor(tenants: readonly Tenant[], ground: Ground) {
    this.#ground = ground;
    this.#groups = alikePinned(tenants, ground.cpus, this.#coresOf);
    this.#isShared = new Uint8Array((ground.cpus.at(-1) ?? 0) + 1);
    for (const cpu of ground.cpus) this.#isShared[cpu] = 1;
  }

  /** CPUs that nobody has alone, ascending. */
  shared(): readonly number[] {
    if (this.exclusive.size === 0) return this.#ground.cpus;
    return this.#ground.cpus.filter((cpu) => this.#isShared[cpu] === 1);
  }

  /** Lets a guest keep its CPUs where it still may have them and the others can still spare them. */
  keep(tenant: Tenant, outsideCores: number): boolean {
    const { before } = tenant;
    if (before?.length !== tenant.vcpus || !this.#mayHave(tenant, before)) return false;
    return this.#takeAll(tenant, before, outsideCores);
  }

  /** Gives a guest the CPUs that suit it best, if the others can spare enough. */
  begin(tenant: Tenant, outsideCores: number): boolean {
    const chosen = this.#choose(tenant, outsideCores)?.cpus;
    return chosen !== undefined && this.#takeAll(tenant, chosen, outsideCores);
  }

  /** Moves a guest that has CPUs alone, where it gains enough by that. @returns whether it moved */
  improve(tenant: Tenant, outsideCores: number): boolean {
    const own = this.exclusive.get(tenant.uuid);
    const terrain = this.#land();
    const places = own?.map((cpu) => terrain.topology.placeOf(cpu));
    // Of CPUs that are not known yet nothing can be said.
    if (own === undefined || places === undefined || places.includes(-1)) return false;
    const { memory } = tenant;
    const cost = layoutCost(terrain, ascending(places), memory);
    if (cost - leastCost(terrain.topology, own.length, memory) < GAIN_MIN) return false;
    this.#giveBack(tenant, own);
    const better = this.#choose(tenant, outsideCores);
    const gains = better !== undefined && cost - better.cost >= GAIN_MIN;
    if (gains && this.#takeAll(tenant, better.cpus, outsideCores)) return true;
    if (!this.#takeAll(tenant, own, outsideCores))
      throw new Error("a guest cannot have back the CPUs that it has just given");
    return false;
  }

  /** How the CPUs lie that a guest has alone, in words. */
  layoutOf(uuid: string): string | undefined {
    const own = this.exclusive.get(uuid);
    if (own === undefined || this.#ground.topology === undefined) return undefined;
    const terrain = this.#land();
    const places = own.map((cpu) => terrain.topology.placeOf(cpu));
    return places.includes(-1) ? undefined : describeLayout(terrain, ascending(places));
  }

  /** What managed guests can have of a CPU. */
  readonly #coresOf = (cpu: number): number => 1 - (this.#ground.claims?.get(cpu) ?? 0);

  #isClaimed(cpu: number): boolean {
    return (this.#ground.claims?.get(cpu) ?? 0) >= CLAIMED_BY_OTHERS;
  }

  #mayHave({ allowedCpus, vcpuPins }: Tenant, cpus: readonly number[]): boolean {
    return cpus.every((cpu, vcpu) => {
      if (this.#isShared[cpu] !== 1 || this.#isClaimed(cpu)) return false;
      return (vcpuPins === undefined ? allowedCpus : vcpuPins[vcpu])?.includes(cpu) ?? true;
    });
  }

  #takeAll(tenant: Tenant, cpus: readonly number[], outsideCores: number): boolean {
    const taking = this.#taking(tenant, outsideCores);
    if (!taking.canTakeAll(cpus)) return false;
    taking.commit();
    for (const cpu of cpus) this.#isShared[cpu] = 0;
    this.exclusive.set(tenant.uuid, cpus);
    return true;
  }

  #giveBack(tenant: Tenant, cpus: readonly number[]): void {
    const taking = this.#taking(tenant, 0);
    for (const cpu of cpus) {
      taking.take(cpu);
      this.#isShared[cpu] = 1;
    }
    taking.giveBack();
    this.exclusive.delete(tenant.uuid);
  }

  #taking(tenant: Tenant, outsideCores: number): Taking {
    return new Taking(this.#groups, tenant, this.#coresOf, outsideCores);
  }

  #choose(tenant: Tenant, outsideCores: number): { cpus: readonly number[]; cost: number } | undefined {
    const terrain = this.#land();
    const open = this.#openTo(tenant, outsideCores);
    const seats = findSeats(terrain, open, tenant.vcpus, tenant.memory);
    if (seats === undefined) return undefined;
    const cpus = ascending(seats.places.map((place) => terrain.topology.cpus[place] ?? 0));
    const isSimple = tenant.vcpuPins === undefined;
    if (isSimple && this.#taking(tenant, outsideCores).canTakeAll(cpus)) return { cpus, cost: seats.cost };
    if (isSimple && this.#groups.groups.length === 1) return undefined;
    return this.#chooseOneByOne(tenant, outsideCores, open, seats);
  }

  /** Where pins bind, not every set of open CPUs can be had: one CPU after the other, the preferred ones first. */
  #chooseOneByOne(
    tenant: Tenant,
    outsideCores: number,
    open: Uint8Array,
    { places }: Seats,
  ): { cpus: readonly number[]; cost: number } | undefined {
    const terrain = this.#land();
    const { topology } = terrain;
    const taking = this.#taking(tenant, outsideCores);
    const pins = tenant.vcpuPins?.map((cpus) => (cpus === undefined ? undefined : new Set(cpus)));
    const matching = new Matching(pins ?? Array.from({ length: tenant.vcpus }, () => undefined));
    const preferred = new Set(places.toReversed());
    for (let place = open.length - 1; place >= 0; place--) if (open[place] === 1) preferred.add(place);
    for (const place of preferred) {
      if (matching.isComplete) break;
      const cpu = topology.cpus[place] ?? 0;
      if (taking.canTake(cpu) && matching.offer(cpu)) taking.take(cpu);
    }
    const chosen = matching.cpus;
    if (chosen === undefined) return undefined;
    const cost = layoutCost(terrain, ascending(chosen.map((cpu) => topology.placeOf(cpu))), tenant.memory);
    return { cpus: pins === undefined ? ascending(chosen) : chosen, cost };
  }

  /** Places of the CPUs that a guest may take: shared ones inside its pins, of groups that can spare one. */
  #openTo(tenant: Tenant, outsideCores: number): Uint8Array {
    const { topology } = this.#land();
    const exhausted = this.#taking(tenant, outsideCores).exhausted();
    const { vcpuPins, allowedCpus } = tenant;
    const anywhere = vcpuPins === undefined ? allowedCpus === undefined : vcpuPins.includes(undefined);
    const inside = anywhere ? undefined : new Set(vcpuPins?.flatMap((pins) => pins ?? []) ?? allowedCpus);
    return Uint8Array.from(topology.cpus, (cpu) => {
      if (this.#isShared[cpu] !== 1 || this.#isClaimed(cpu)) return 0;
      if (inside !== undefined && !inside.has(cpu)) return 0;
      return exhausted.some((pins) => pins.has(cpu)) ? 0 : 1;
    });
  }

  /** Made only when somebody looks for CPUs: mostly nobody does. */
  #land(): Terrain {
    if (this.#terrain !== undefined) return this.#terrain;
    const { cpus, claims } = this.#ground;
    const topology = this.#ground.topology ?? flatTopology(cpus);
    const usable = new Uint8Array(topology.cpus.length);
    const claimed = new Float64Array(topology.cpus.length);
    for (const cpu of cpus) {
      const place = topology.placeOf(cpu);
      if (place >= 0) usable[place] = 1;
    }
    for (const [cpu, part] of claims ?? []) {
      const place = topology.placeOf(cpu);
      if (place >= 0) claimed[place] = part;
    }
    return (this.#terrain = { topology, usable, claimed });
  }
}

function ascending(numbers: readonly number[]): readonly number[] {
  return numbers.toSorted((a, b) => a - b);
}
