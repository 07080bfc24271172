import { describe, expect, it } from "@jest/globals";
import { formatCpuList, parseCpuList } from "../cpu-list.ts";
import { Topology } from "../topology.ts";
import { uuidOf } from "../testing/hosts.ts";
import { topologies, usableOf } from "../testing/topologies.ts";
import { batch, service } from "../testing/tenants.ts";
import { place } from "./place.ts";
import type { Ground, Placement, Tenant } from "./place.ts";

type Name = keyof typeof topologies;

function on(name: Name, tenants: readonly Tenant[], rest: Partial<Ground> = {}): Placement {
  return place(tenants, {
    cpus: usableOf(topologies[name]),
    reserveCores: 0,
    unmanagedCores: 0,
    mayBegin: true,
    topology: new Topology(topologies[name]),
    ...rest,
  });
}

/** CPUs of guest 1, guest 2, … as lists; `-` for none. */
function listed(placement: Placement, tenants: readonly Tenant[]): string {
  return tenants
    .filter((tenant) => tenant.class === "scientific")
    .map(({ uuid }) => formatCpuList(placement.exclusive.get(uuid) ?? []) || "-")
    .join(" | ");
}

/** The same guests with what they have now. */
const after = (tenants: readonly Tenant[], { exclusive }: Placement): Tenant[] =>
  tenants.map((tenant) => ({ ...tenant, before: exclusive.get(tenant.uuid) }));

const list = (text: string): number[] => parseCpuList(text);

describe("placement on named topologies", () => {
  it.each<[Name, string, Tenant[], string, Partial<Ground>?]>([
    ["1x2", "one vCPU gets one of two CPUs", [batch(1, 1), service(9, 1)], "1"],
    ["1x2", "two vCPUs have no exclusive layout", [batch(1, 2)], "-"],
    ["1x2", "the last CPU is nobody's alone", [batch(1, 1), batch(2, 1)], "1 | -"],
    [
      "4-node",
      "what is left of a node is filled before another one is begun",
      [batch(1, 2), batch(2, 2, { before: [2, 3] }), batch(3, 3, { before: [13, 14, 15] }), service(9, 1)],
      "0-1 | 2-3 | 13-15",
    ],
    ["2x8", "eight vCPUs fill a package", [batch(1, 8), service(9, 8)], "8-15"],
    [
      "2x8",
      "a second guest goes to the package where it fits whole",
      [batch(1, 6), batch(2, 4), service(9, 2)],
      "10-15 | 4-7",
    ],
    ["2x8", "small guests fill what is begun", [batch(1, 6), batch(2, 2), service(9, 8)], "10-15 | 8-9"],
    ["2x8", "what fits nowhere whole crosses packages", [batch(1, 10), service(9, 4)], "6-15"],
    ["2x8", "memory decides between packages", [batch(1, 4, near(0)), batch(2, 4, near(1))], "4-7 | 12-15"],
    [
      "2x8",
      "together comes before near",
      [batch(1, 6, near(0)), service(9, 4, { allowedCpus: list("0-3") })],
      "10-15",
    ],
    ["2x8 SMT", "both threads of a core", [batch(1, 4), service(9, 4)], "14-15,30-31"],
    ["2x8 SMT", "sixteen vCPUs fill a package", [batch(1, 16), service(9, 8)], "8-15,24-31"],
    [
      "2x8 SMT",
      "odd guests share one core rather than two with services",
      [batch(1, 3), batch(2, 1), service(9, 4)],
      "15,30-31 | 14",
    ],
    [
      "2x8 SMT",
      "pinned to first threads, it cannot but share cores",
      [batch(1, 2, { allowedCpus: list("0-15") })],
      "14-15",
    ],
    [
      "4-node",
      "within a node, then within a package",
      [batch(1, 4), batch(2, 6), service(9, 4)],
      "4-7 | 10-15",
    ],
    ["with holes", "not on isolated or offline CPUs", [batch(1, 22), service(9, 4)], "4-13,15,20-29,31"],
    ["with holes", "a core whose other thread is offline is whole", [batch(1, 1), service(9, 1)], "17"],
    ["128 CPUs", "eight vCPUs fill a cache", [batch(1, 8), service(9, 8)], "60-63,124-127"],
    ["128 CPUs", "sixteen fill a node", [batch(1, 16), service(9, 8)], "56-63,120-127"],
    ["128 CPUs", "sixty-four fill a package", [batch(1, 64), service(9, 8)], "32-63,96-127"],
    [
      "512 CPUs",
      "guests of many sizes pack",
      [batch(1, 128), batch(2, 64), batch(3, 16), batch(4, 2), service(9, 64)],
      "192-255,448-511 | 160-191,416-447 | 152-159,408-415 | 151,407",
    ],
    ["4+4 asymmetric", "fast cores first", [batch(1, 3), service(9, 2)], "5-7"],
    [
      "4+4 asymmetric",
      "fast cores although they are not the highest",
      [batch(1, 2, { allowedCpus: list("0-5") }), service(9, 2)],
      "4-5",
    ],
    [
      "2x8",
      "not where an exempt guest is pinned",
      [batch(1, 4), service(9, 2)],
      "10-13",
      { claims: new Map([14, 15].map((cpu) => [cpu, 1])) },
    ],
    [
      "2x8",
      "rather not where an exempt guest may be",
      [batch(1, 4), service(9, 2)],
      "8-11",
      { claims: new Map([12, 13, 14, 15].map((cpu) => [cpu, 0.25])) },
    ],
  ])("%s: %s", (name, _what, tenants, expected, rest = {}) => {
    expect(listed(on(name, tenants, rest), tenants)).toBe(expected);
  });
});

function near(node: number): Partial<Tenant> {
  return { memory: [{ node, share: 1 }] };
}

describe("claims of exempt guests", () => {
  it("leave services less", () => {
    const tenants = [batch(1, 8), service(9, 7)];
    const claims = new Map([0, 1].map((cpu) => [cpu, 1]));
    expect(on("2x8", tenants).exclusive.size).toBe(1);
    expect(on("2x8", tenants, { claims }).exclusive.size).toBe(0);
  });

  it("take CPUs back from who had them alone", () => {
    const tenants = [batch(1, 2, { before: [14, 15] }), service(9, 2)];
    const claims = new Map([[15, 1]]);
    expect(listed(on("2x8", tenants, { claims }), tenants)).toBe("13-14");
  });
});

describe("moves", () => {
  it("bring a guest together when room comes, and then end", () => {
    const split = [batch(1, 4, { before: [6, 7, 8, 9] }), service(9, 4)];
    const first = on("2x8", split);
    expect(listed(first, split)).toBe("12-15");
    expect(on("2x8", after(split, first)).exclusive).toEqual(first.exclusive);
  });

  it("are not made for the place alone, nor without a topology", () => {
    const low = [batch(1, 4, { before: [0, 1, 2, 3] }), service(9, 4)];
    expect(listed(on("2x8", low), low)).toBe("0-3");
    const split = [batch(1, 4, { before: [6, 7, 8, 9] }), service(9, 4)];
    expect(listed(on("2x8", split, { topology: undefined }), split)).toBe("6-9");
  });

  it("follow memory when a good part of it lies elsewhere", () => {
    const has = (share: number): Tenant[] => [
      batch(1, 4, {
        before: [12, 13, 14, 15],
        memory: [
          { node: 0, share },
          { node: 1, share: 1 - share },
        ],
      }),
    ];
    expect(listed(on("2x8", has(0.6)), has(0.6))).toBe("12-15");
    expect(listed(on("2x8", has(0.7)), has(0.7))).toBe("4-7");
  });

  it("are one at a time, and wait while somebody begins or cannot be read", () => {
    const split = [batch(1, 4, { before: [6, 7, 8, 9] }), batch(2, 2, { before: [5, 10] }), service(9, 4)];
    const first = on("2x8", split);
    expect(listed(first, split)).toBe("12-15 | 5,10");
    expect(listed(on("2x8", after(split, first)), split)).toBe("12-15 | 10-11");
    expect(listed(on("2x8", split, { mayBegin: false }), split)).toBe("6-9 | 5,10");
    const newcomer = [...split, batch(3, 1)];
    expect(listed(on("2x8", newcomer), newcomer)).toMatch(/^6-9 \| 5,10 \| \d+$/);
  });

  it("free a guest of a stranger on its core", () => {
    const shared = [batch(1, 2, { before: [14, 15] }), service(9, 8)];
    expect(listed(on("2x8 SMT", shared), shared)).toBe("15,31");
  });
});

describe("layouts in words", () => {
  it.each<[Name, Tenant, string]>([
    ["2x8", batch(1, 8), "behind one last-level cache"],
    ["2x8", batch(1, 10), "behind 2 last-level caches of 2 NUMA nodes"],
    ["128 CPUs", batch(1, 16), "behind 2 last-level caches"],
    [
      "2x8 SMT",
      batch(1, 3),
      "behind one last-level cache, 1 of them on a core whose other thread serves others",
    ],
  ])("%s, %j", (name, tenant, words) => {
    expect(on(name, [tenant, service(9, 2)]).layoutOf?.(tenant.uuid)).toBe(words);
  });

  it("are not known without a topology", () => {
    expect(on("2x8", [batch(1, 2)], { topology: undefined }).layoutOf?.(uuidOf(1))).toBeUndefined();
  });
});

describe("vCPUs that are pinned apart", () => {
  const apart = [[6, 7], [4, 5, 6], undefined];

  it("each get a CPU of their own pins, in their order", () => {
    const placement = on("2x8", [batch(1, 3, { vcpuPins: apart }), service(9, 2)]);
    const [first = -1, second = -1, third = -1] = placement.exclusive.get(uuidOf(1)) ?? [];
    expect(apart[0]).toContain(first);
    expect(apart[1]).toContain(second);
    expect(new Set([first, second, third]).size).toBe(3);
  });

  it("make room for each other", () => {
    const chain = [[1, 2], [2, 3], [3]];
    const tenants = [batch(1, 3, { vcpuPins: chain, allowedCpus: [1, 2, 3] })];
    expect(on("2x8", tenants).exclusive.get(uuidOf(1))).toEqual([1, 2, 3]);
    const crowded = [batch(1, 3, { vcpuPins: [[1], [1, 2], [2]], allowedCpus: [1, 2] })];
    expect(on("2x8", crowded).exclusive.size).toBe(0);
  });

  it("keep a CPU each where they share, and what services among them need", () => {
    const pinned = service(9, 2, { vcpuPins: [[15], [14, 15]], allowedCpus: [14, 15] });
    const inside = batch(1, 1, { allowedCpus: [14, 15] });
    expect(on("2x8", [inside, pinned]).exclusive.size).toBe(0);
    const light = { ...pinned, assuredCores: 1 };
    expect(on("2x8", [inside, light]).exclusive.get(uuidOf(1))).toEqual([14]);
  });
});
