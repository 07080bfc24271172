import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { memoryArbitrary } from "../testing/arbitraries.ts";
import { uuidOf } from "../testing/hosts.ts";
import { topologies, usableOf } from "../testing/topologies.ts";
import { Topology } from "../topology.ts";
import { CLAIMED_BY_OTHERS } from "./claims.ts";
import { layoutCost } from "./layout-cost.ts";
import { place } from "./place.ts";
import type { Ground, Placement, Tenant } from "./place.ts";

const names = ["1x2", "2x8", "2x8 SMT", "4-node", "with holes", "4+4 asymmetric", "128 CPUs"] as const;
const known = new Map(names.map((name) => [name, new Topology(topologies[name])]));

interface Case {
  ground: Ground;
  tenants: Tenant[];
}

/** A host and guests for it; pins are ranges of its CPUs. */
const cases = (withPins: boolean): fc.Arbitrary<Case> =>
  fc.constantFrom(...names).chain((name) => {
    const cpus = usableOf(topologies[name]);
    const range = fc
      .tuple(fc.nat(cpus.length - 1), fc.nat(cpus.length - 1))
      .map(([a, b]) => cpus.slice(Math.min(a, b), Math.max(a, b) + 1));
    const tenant = fc.record({
      scientific: fc.boolean(),
      vcpus: fc.integer({ min: 1, max: Math.min(12, cpus.length) }),
      part: fc.integer({ min: 1, max: 4 }),
      memory: fc.option(memoryArbitrary, { nil: undefined, freq: 2 }),
      pins: fc.option(range, { nil: undefined, freq: 2 }),
      vcpuPins: fc.option(fc.array(fc.option(range, { nil: undefined }), { minLength: 12, maxLength: 12 }), {
        nil: undefined,
        freq: 1,
      }),
    });
    return fc
      .record({
        tenants: fc.array(tenant, { minLength: 1, maxLength: 9 }),
        claims: fc.array(fc.tuple(fc.constantFrom(...cpus), fc.constantFrom(1, 0.5, 0.25)), { maxLength: 3 }),
        reserveCores: fc.constantFrom(0, 0, 1.5),
        unmanagedCores: fc.constantFrom(0, 0.3, 2),
        isKnown: fc.integer({ min: 0, max: 3 }),
      })
      .map(({ tenants, claims, isKnown, ...rest }) => ({
        ground: {
          cpus,
          ...rest,
          mayBegin: true,
          topology: isKnown > 0 ? known.get(name) : undefined,
          claims: new Map(claims),
        },
        tenants: tenants.map(({ scientific, vcpus, part, pins, vcpuPins, memory }, i) => ({
          uuid: uuidOf(i + 1),
          class: scientific ? ("scientific" as const) : ("service" as const),
          vcpus,
          assuredCores: scientific ? vcpus : (vcpus * part) / 4,
          memory,
          allowedCpus: withPins ? pins : undefined,
          vcpuPins: withPins ? vcpuPins?.slice(0, vcpus) : undefined,
        })),
      }));
  });

const always = (withPins: boolean, check: (each: Case) => void): void =>
  fc.assert(fc.property(cases(withPins), check), { numRuns: 300 });

const after = (tenants: readonly Tenant[], { exclusive }: Placement): Tenant[] =>
  tenants.map((tenant) => ({ ...tenant, before: exclusive.get(tenant.uuid) }));

/** Places again and again until nothing changes; moves must come to an end. */
function settle({ tenants, ground }: Case): { tenants: Tenant[]; placement: Placement } {
  let now = tenants;
  for (let round = 0; round < 60; round++) {
    const placement = place(now, ground);
    const next = after(now, placement);
    if (JSON.stringify(next) === JSON.stringify(now)) return { tenants: next, placement };
    now = next;
  }
  throw new Error("placement does not come to rest");
}

const costOf = ({ ground }: Case, { memory }: Tenant, cpus: readonly number[]): number => {
  const topology = ground.topology as Topology;
  const usable = Uint8Array.from(topology.cpus, (cpu) => Number(ground.cpus.includes(cpu)));
  const claimed = Float64Array.from(topology.cpus, (cpu) => ground.claims?.get(cpu) ?? 0);
  const places = cpus.map((cpu) => topology.placeOf(cpu)).sort((a, b) => a - b);
  return layoutCost({ topology, usable, claimed }, places, memory);
};

describe("every placement", () => {
  it("gives one usable CPU a vCPU, to nobody else, inside pins, and leaves one", () => {
    always(true, ({ tenants, ground }) => {
      const { exclusive, shared } = place(tenants, ground);
      const own = [...exclusive.values()].flat();
      // Every usable CPU is in exactly one place, and none is anywhere else.
      expect([...own, ...shared].sort((a, b) => a - b)).toEqual(ground.cpus);
      expect(shared.length).toBeGreaterThan(0);
      for (const tenant of tenants) {
        const cpus = exclusive.get(tenant.uuid);
        if (cpus === undefined) continue;
        expect(tenant.class).toBe("scientific");
        expect(cpus).toHaveLength(tenant.vcpus);
        for (const [i, cpu] of cpus.entries()) {
          const pins = tenant.vcpuPins === undefined ? tenant.allowedCpus : tenant.vcpuPins[i];
          if (pins !== undefined) expect(pins).toContain(cpu);
          expect(ground.claims?.get(cpu) ?? 0).toBeLessThan(CLAIMED_BY_OTHERS);
        }
      }
    });
  });

  it("leaves services, reserve and others what they are entitled to, also inside pins", () => {
    always(true, ({ tenants, ground }) => {
      const { exclusive, shared } = place(tenants, ground);
      if (exclusive.size === 0) return;
      const coresIn = (pins: readonly number[] | undefined): number =>
        shared
          .filter((cpu) => pins?.includes(cpu) ?? true)
          .reduce((sum, cpu) => sum + 1 - (ground.claims?.get(cpu) ?? 0), 0);
      const alone = new Set([...exclusive.values()].flat());
      const services = tenants.filter((tenant) => tenant.class === "service");
      // Parts of services by the CPUs that they cannot leave.
      const parts = services.flatMap(({ assuredCores, vcpus, allowedCpus, vcpuPins }) =>
        vcpuPins === undefined
          ? [{ pins: allowedCpus, cores: assuredCores }]
          : vcpuPins.map((pins) => ({ pins, cores: assuredCores / vcpus })),
      );
      for (const { pins } of [{ pins: undefined }, ...parts]) {
        if (pins !== undefined && !pins.some((cpu) => alone.has(cpu))) continue;
        const inside = parts.filter(
          (part) => pins === undefined || part.pins?.every((cpu) => pins.includes(cpu)),
        );
        const needed = inside.reduce((sum, { cores }) => sum + cores, 0);
        const outside = pins === undefined ? ground.reserveCores + ground.unmanagedCores : 0;
        expect(coresIn(pins)).toBeGreaterThanOrEqual(needed + outside - 1e-5);
      }
    });
  });

  it("does not depend on the order of guests", () => {
    always(true, ({ tenants, ground }) => {
      const { exclusive, shared } = place(tenants, ground);
      const turned = place(tenants.toReversed(), ground);
      expect(turned.exclusive).toEqual(exclusive);
      expect(turned.shared).toEqual(shared);
    });
  });
});

describe("placements one after the other", () => {
  it("come to rest", () => {
    always(true, (each) => void settle(each));
  });

  it("change nothing when the topology is not known for a while", () => {
    always(true, (each) => {
      const { tenants, placement } = settle(each);
      const { exclusive } = place(tenants, { ...each.ground, topology: undefined, mayBegin: false });
      expect(exclusive).toEqual(placement.exclusive);
    });
  });

  it("move one guest at most, and only for less cost", () => {
    always(true, (each) => {
      const random = place(each.tenants, { ...each.ground, topology: undefined });
      const tenants = after(each.tenants, random);
      const { exclusive } = place(tenants, each.ground);
      const moved = tenants.filter(
        ({ uuid, before }) => before !== undefined && exclusive.get(uuid)?.join() !== before.join(),
      );
      expect(moved.length).toBeLessThanOrEqual(1);
      for (const tenant of moved) {
        const now = exclusive.get(tenant.uuid) ?? [];
        expect(costOf(each, tenant, now)).toBeLessThan(costOf(each, tenant, tenant.before ?? []));
      }
    });
  });

  it("move nobody because a guest arrives, and for a gain alone when one goes", () => {
    always(false, (each) => {
      const { tenants, placement } = settle(each);
      const newcomer: Tenant = { uuid: uuidOf(99), class: "scientific", vcpus: 2, assuredCores: 2 };
      const arrived = place([...tenants, newcomer], each.ground);
      for (const [uuid, cpus] of placement.exclusive) expect(arrived.exclusive.get(uuid)).toEqual(cpus);
      const left = place(tenants.slice(1), each.ground);
      for (const tenant of tenants.slice(1)) {
        const now = left.exclusive.get(tenant.uuid) ?? [];
        if (tenant.before === undefined || now.join() === tenant.before.join()) continue;
        expect(costOf(each, tenant, now)).toBeLessThan(costOf(each, tenant, tenant.before));
      }
    });
  });

  it("move nobody else when one guest changes a little", () => {
    always(false, (each) => {
      const { tenants, placement } = settle(each);
      const [first, ...others] = tenants as [Tenant, ...Tenant[]];
      const memory = first.memory?.map(({ node, share }) => ({ node, share: share * 0.95 }));
      // A scientific guest with less than its vCPUs would have to go: that is no small change.
      const assuredCores = first.assuredCores - (first.class === "service" ? 0.01 : 0);
      const changed = { ...first, memory, assuredCores };
      const { exclusive } = place([changed, ...others], each.ground);
      for (const { uuid } of others) {
        const before = placement.exclusive.get(uuid);
        if (before !== undefined) expect(exclusive.get(uuid)).toEqual(before);
      }
    });
  });
});
