/**
 * What a layout costs a guest that has its CPUs alone: 0 is all CPUs behind one last-level cache, whole cores, beside
 * the guest's memory. Integers of importance rather than measured times: what counts is which layout comes first.
 *
 * In this order: no thread of a core whose other thread serves somebody else; together in a package, a NUMA node;
 * beside the memory; on fast cores; together behind a last-level cache; away from CPUs that exempt guests use in part.
 */
import type { Topology } from "../topology.ts";

/** For each CPU whose sibling serves somebody else: ranks above everything. */
const SPLIT_CORE = 1000;
/** For each package, node, cache beyond the first. Another package is another node too. */
const PACKAGE = 8;
const NODE = 4;
const LLC = 1;
/** Times the part of accesses that goes to another node, where memory is used evenly. */
const FAR_MEMORY = 4;
/** Times the part of its speed that the guest loses on slow cores. */
const SLOW_CORE = 2;
/** Times the part of its CPUs that exempt guests may take. */
const CLAIMED = 1;

/** A CPU changes hands only for this much: as much as a last-level cache, or a quarter of the memory. */
export const GAIN_MIN = 1;

/** Part of a guest's memory on a NUMA node, 0 to 1. */
export type MemoryShare = Readonly<{ node: number; share: number }>;

/** What layouts on a host are judged by; arrays by place. */
export interface Terrain {
  topology: Topology;
  /** 1: a CPU that guests may use. A sibling that they may not use serves nobody. */
  usable: Uint8Array;
  /** Part of the CPU that exempt guests pinned to it may take. */
  claimed: Float64Array;
}

/**
 * Cost of a layout.
 * @param places ascending
 * @param memory of the guest; absent: not known, all nodes are alike
 */
export function layoutCost(
  { topology, usable, claimed }: Terrain,
  places: readonly number[],
  memory: readonly MemoryShare[] | undefined,
): number {
  const { packages, nodes, llcs, capacity } = topology;
  let crossings = 0;
  let slow = 0;
  let taken = 0;
  let last = -1;
  for (const place of places) {
    if (last >= 0) {
      if (packages[place] !== packages[last]) crossings += PACKAGE;
      if (nodes[place] !== nodes[last]) crossings += NODE;
      if (llcs[place] !== llcs[last]) crossings += LLC;
    }
    slow += 1 - (capacity[place] ?? 1);
    taken += claimed[place] ?? 0;
    last = place;
  }
  const perCpu = 1 / Math.max(1, places.length);
  const split = SPLIT_CORE * splitThreads(topology, usable, places);
  const far = memory === undefined ? 0 : FAR_MEMORY * farMemory(nodes, places, memory);
  return split + crossings + far + (SLOW_CORE * slow + CLAIMED * taken) * perCpu;
}

/** The least that any layout of so many CPUs can cost: with it, nothing better needs to be looked for. */
export function leastCost(
  { threadsMin, largest }: Topology,
  count: number,
  memory: readonly MemoryShare[] | undefined,
): number {
  const beyond = (size: number): number => Math.max(0, Math.ceil(count / Math.max(1, size)) - 1);
  const crossings =
    PACKAGE * beyond(largest.package) + NODE * beyond(largest.node) + LLC * beyond(largest.llc);
  const nearest = memory?.reduce((most, { share }) => Math.max(most, share), 0) ?? 1;
  return SPLIT_CORE * (count % threadsMin) + crossings + FAR_MEMORY * (1 - nearest);
}

/** A layout in words. @param places ascending */
export function describeLayout({ topology, usable }: Terrain, places: readonly number[]): string {
  const counted = (ids: Int32Array): number => new Set(places.map((place) => ids[place])).size;
  const nodes = counted(topology.nodes);
  const llcs = counted(topology.llcs);
  const caches = llcs === 1 ? "behind one last-level cache" : `behind ${llcs} last-level caches`;
  const where = nodes === 1 ? caches : `${caches} of ${nodes} NUMA nodes`;
  const split = splitThreads(topology, usable, places);
  return split === 0 ? where : `${where}, ${split} of them on a core whose other thread serves others`;
}

/** CPUs on a core whose other threads are not all among these. */
function splitThreads(topology: Topology, usable: Uint8Array, places: readonly number[]): number {
  const { coreFirst, coreEnd } = topology;
  let split = 0;
  for (let i = 0; i < places.length;) {
    const place = places[i] ?? 0;
    const end = coreEnd[place] ?? place + 1;
    let own = 0;
    while (i < places.length && (places[i] ?? 0) < end) {
      own += 1;
      i += 1;
    }
    let all = 0;
    for (let at = coreFirst[place] ?? place; at < end; at++) all += usable[at] ?? 0;
    if (own < all) split += own;
  }
  return split;
}

/** Part of the accesses that leave their node, when every vCPU uses all the memory evenly. */
function farMemory(nodes: Int32Array, places: readonly number[], memory: readonly MemoryShare[]): number {
  let near = 0;
  for (const place of places) {
    for (const { node, share } of memory) if (node === nodes[place]) near += share;
  }
  return Math.max(0, 1 - near / Math.max(1, places.length));
}
