import { describe, expect, it } from "@jest/globals";
import { cpus, uuidOf } from "../testing/hosts.ts";
import { batch, service } from "../testing/tenants.ts";
import { place } from "./place.ts";
import type { Ground, Placement, Tenant } from "./place.ts";

function on(count: number, tenants: readonly Tenant[], rest: Partial<Ground> = {}): Placement {
  return place(tenants, {
    cpus: cpus(count),
    reserveCores: 0,
    unmanagedCores: 0,
    mayBegin: true,
    ...rest,
  });
}

const alone = (placement: Placement, n: number): readonly number[] | undefined =>
  placement.exclusive.get(uuidOf(n));

describe("a scientific guest", () => {
  it("gets one CPU a vCPU, the highest, where its share is assured", () => {
    const placement = on(8, [service(1, 2), batch(2, 4)]);
    expect(alone(placement, 2)).toEqual([4, 5, 6, 7]);
    expect(placement.shared).toEqual([0, 1, 2, 3]);
  });

  it("gets none where services may take so much that its share does not cover its vCPUs", () => {
    expect(on(8, [service(1, 5), batch(2, 4, { assuredCores: 3 })]).exclusive.size).toBe(0);
  });

  it("gets none where its share is assured and services, reserve or the host need the CPUs", () => {
    const tenants = [service(1, 3.5), batch(2, 4)];
    expect(on(8, tenants).exclusive.size).toBe(1);
    expect(on(8, tenants, { reserveCores: 1 }).exclusive.size).toBe(0);
    expect(on(8, tenants, { unmanagedCores: 1 }).exclusive.size).toBe(0);
    expect(on(7, tenants).exclusive.size).toBe(0);
  });

  it("gets CPUs that fit exactly, although tenths do not add up exactly", () => {
    const services = [0.4, 0.8, 0.6, 0.2].map((cores, i) => service(i + 1, cores));
    expect(alone(on(3, [...services, batch(9, 1)]), 9)).toEqual([2]);
  });

  it("never gets the last CPU", () => {
    expect(on(4, [batch(1, 4)]).exclusive.size).toBe(0);
    expect(on(2, [batch(1, 2)]).exclusive.size).toBe(0);
    expect(on(4, [batch(1, 3)]).shared).toEqual([0]);
  });

  it("stays inside its pins, or gets none", () => {
    expect(alone(on(8, [batch(1, 2, { allowedCpus: [1, 3, 5] })]), 1)).toEqual([3, 5]);
    expect(on(8, [batch(1, 2, { allowedCpus: [1, 30] })]).exclusive.size).toBe(0);
  });
});

describe("several scientific guests", () => {
  it("get disjoint CPUs, the larger first", () => {
    const placement = on(8, [batch(1, 2), batch(2, 4), service(3, 1)]);
    expect(alone(placement, 2)).toEqual([4, 5, 6, 7]);
    expect(alone(placement, 1)).toEqual([2, 3]);
    expect(placement.shared).toEqual([0, 1]);
  });

  it("may share out a set of CPUs that they alone are pinned to", () => {
    const allowedCpus = [4, 5, 6, 7];
    const placement = on(8, [batch(1, 2, { allowedCpus }), batch(2, 2, { allowedCpus })]);
    expect([alone(placement, 1), alone(placement, 2)]).toEqual([
      [6, 7],
      [4, 5],
    ]);
  });

  it("are placed alike in whatever order they are named", () => {
    const tenants = [batch(1, 2), batch(2, 2), batch(3, 2), service(4, 1)];
    const expected = on(8, tenants).exclusive;
    expect(on(8, tenants.toReversed()).exclusive).toEqual(expected);
    expect(expected.size).toBe(3);
  });
});

describe("guests that had CPUs alone", () => {
  it("keep them when others come and go", () => {
    const had = batch(1, 2, { before: [3, 5] });
    expect(alone(on(8, [had, batch(2, 4), service(3, 1)]), 1)).toEqual([3, 5]);
    expect(alone(on(8, [had]), 1)).toEqual([3, 5]);
  });

  it("keep them through a busy moment of the host, but not against what services are entitled to", () => {
    const had = batch(1, 2, { before: [3, 5] });
    expect(alone(on(8, [had, service(2, 4)], { unmanagedCores: 7 }), 1)).toEqual([3, 5]);
    expect(on(8, [had, service(2, 7)]).exclusive.size).toBe(0);
    expect(on(8, [had, service(2, 4)], { reserveCores: 3 }).exclusive.size).toBe(0);
  });

  it("move when a CPU of theirs is gone or their pins changed", () => {
    expect(alone(on(5, [batch(1, 2, { before: [3, 5] })]), 1)).toEqual([3, 4]);
    expect(alone(on(8, [batch(1, 2, { before: [3, 5], allowedCpus: [0, 1, 2] })]), 1)).toEqual([1, 2]);
  });

  it("are not driven out by a larger guest that has to move", () => {
    const grown = batch(1, 5, { before: [4, 5, 6, 7] });
    const placement = on(8, [grown, batch(2, 2, { before: [2, 3] })]);
    expect(alone(placement, 2)).toEqual([2, 3]);
    expect(alone(placement, 1)).toEqual([1, 4, 5, 6, 7]);
  });

  it("keep them, and nobody else begins, while some guest cannot be read", () => {
    const tenants = [batch(1, 2, { before: [3, 5] }), batch(2, 2)];
    const placement = on(8, tenants, { mayBegin: false });
    expect([...placement.exclusive]).toEqual([[uuidOf(1), [3, 5]]]);
  });
});

describe("pins of the others", () => {
  it("leave each pinned guest a CPU", () => {
    const pinned = batch(2, 1, { assuredCores: 0.5, allowedCpus: [7] });
    expect(alone(on(8, [batch(1, 2), pinned]), 1)).toEqual([5, 6]);
    expect(on(8, [batch(1, 2, { allowedCpus: [6, 7] }), pinned]).exclusive.size).toBe(0);
  });

  it("make a guest move to other CPUs rather than lose its own", () => {
    const had = batch(1, 2, { before: [6, 7] });
    expect(alone(on(8, [had, service(2, 2, { allowedCpus: [6, 7] })]), 1)).toEqual([4, 5]);
  });

  it("keep together what services that share pins are entitled to together", () => {
    const pinned = [service(1, 1, { allowedCpus: [6, 7] }), service(2, 1, { allowedCpus: [6, 7] })];
    const inside = batch(3, 1, { allowedCpus: [6, 7] });
    expect(on(8, [...pinned, inside]).exclusive.size).toBe(0);
    expect(on(8, [pinned[0] as Tenant, inside]).exclusive.size).toBe(1);
  });

  it("count guests on fewer CPUs among those that have these and more", () => {
    const pinned = [service(1, 1, { allowedCpus: [6] }), service(2, 2, { allowedCpus: [5, 6, 7] })];
    expect(on(8, [...pinned, batch(3, 1, { allowedCpus: [5, 7] })]).exclusive.size).toBe(0);
  });

  it("do not matter where they never were enough, but no CPU of theirs is taken", () => {
    const crowded = service(1, 4, { allowedCpus: [0, 1] });
    expect(alone(on(8, [crowded, batch(2, 4)]), 2)).toEqual([4, 5, 6, 7]);
    const inside = batch(2, 1, { allowedCpus: [0, 1] });
    expect(on(8, [crowded, inside]).exclusive.size).toBe(0);
  });

  it("do not matter on CPUs that are not to be placed on", () => {
    expect(on(8, [service(1, 6, { allowedCpus: [20, 21] }), batch(2, 4)]).exclusive.size).toBe(1);
  });
});
