import { describe, expect, it } from "@jest/globals";
import { topologies } from "./testing/topologies.ts";
import { Topology, flatTopology } from "./topology.ts";

/** Domains as nested lists of their sizes. */
const shape = ({ domains }: Topology): unknown => {
  const sizes = (domain: Topology["domains"][number] | undefined): unknown =>
    domain === undefined || domain.children.length === 0
      ? (domain?.end ?? 0) - (domain?.first ?? 0)
      : domain.children.map(sizes);
  return sizes(domains.at(-1));
};

describe("Topology", () => {
  it.each([
    ["1x2", 2],
    ["2x8", [8, 8]],
    ["2x8 SMT", [16, 16]],
    [
      "4-node",
      [
        [4, 4],
        [4, 4],
      ],
    ],
    ["with holes", [15, 14]],
    [
      "128 CPUs",
      [
        [
          [8, 8],
          [8, 8],
          [8, 8],
          [8, 8],
        ],
        [
          [8, 8],
          [8, 8],
          [8, 8],
          [8, 8],
        ],
      ],
    ],
  ] as const)("%s: levels that do not divide leave no trace", (name, expected) => {
    expect(shape(new Topology(topologies[name]))).toEqual(expected);
  });

  it("keeps siblings together, and finds every CPU", () => {
    const topology = new Topology(topologies["2x8 SMT"].toReversed());
    expect([...topology.cpus].slice(0, 4)).toEqual([0, 16, 1, 17]);
    expect([topology.coreFirst[3], topology.coreEnd[3]]).toEqual([2, 4]);
    for (const cpu of topology.cpus) expect(topology.cpus[topology.placeOf(cpu)]).toBe(cpu);
    expect([topology.placeOf(32), topology.placeOf(9999)]).toEqual([-1, -1]);
    expect([topology.threadsMin, topology.largest.llc]).toEqual([2, 16]);
  });

  it("measures speed against the fastest; who does not say is as fast", () => {
    const { capacity, isAsymmetric } = new Topology(topologies["4+4 asymmetric"]);
    expect([capacity[0], capacity[7], isAsymmetric]).toEqual([446 / 1024, 1, true]);
    expect(new Topology(topologies["2x8"]).isAsymmetric).toBe(false);
  });

  it("takes a cache that spans nodes as one, and CPUs without package numbers", () => {
    const spanning = topologies["4-node"].map((each) => ({
      ...each,
      package: -1,
      llc: each.cpu < 8 ? 0 : 8,
    }));
    const topology = new Topology(spanning);
    expect(shape(topology)).toEqual([4, 4, 4, 4]);
    expect(topology.largest).toEqual({ llc: 8, node: 4, package: 16 });
  });

  it("is flat where nothing is known", () => {
    expect(shape(flatTopology([1, 4, 9]))).toBe(3);
    expect(shape(new Topology([]))).toBe(0);
  });
});
