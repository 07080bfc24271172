/** Named topologies for tests: what machines look like, as the collector reports them. */
import type { CpuTopology } from "../contracts/host.ts";

export interface Shape {
  packages: number;
  nodesPerPackage?: number;
  /** Last-level caches of a node. */
  llcsPerNode?: number;
  coresPerLlc: number;
  threads?: number;
}

/**
 * CPUs of a regular machine, numbered as x86 firmware does: first one thread of every core, then the second threads.
 */
export function machine({
  packages,
  nodesPerPackage = 1,
  llcsPerNode = 1,
  coresPerLlc,
  threads = 1,
}: Shape): CpuTopology[] {
  const cores = packages * nodesPerPackage * llcsPerNode * coresPerLlc;
  return Array.from({ length: cores * threads }, (_, cpu) => {
    const core = cpu % cores;
    const llc = Math.floor(core / coresPerLlc);
    const node = Math.floor(llc / llcsPerNode);
    return {
      cpu,
      package: Math.floor(node / nodesPerPackage),
      node,
      llc: llc * coresPerLlc,
      core,
      isolated: false,
    };
  });
}

export const topologies = {
  /** One package, two CPUs. */
  "1x2": machine({ packages: 1, coresPerLlc: 2 }),
  /** The paper's: two packages of eight cores. */
  "2x8": machine({ packages: 2, coresPerLlc: 8 }),
  /** CPUs n and n + 16 are threads of one core; cores 0-7 are package 0. */
  "2x8 SMT": machine({ packages: 2, coresPerLlc: 8, threads: 2 }),
  /** Two packages of two nodes of four cores. */
  "4-node": machine({ packages: 2, nodesPerPackage: 2, coresPerLlc: 4 }),
  /** A 2x8 SMT of which CPUs 1, 14 and 30 are offline (core 14 gone, core 1 with one thread), and 0 and 16 isolated. */
  "with holes": machine({ packages: 2, coresPerLlc: 8, threads: 2 })
    .filter(({ cpu }) => ![1, 14, 30].includes(cpu))
    .map((each) => ({
      ...each,
      // The lowest one that is online.
      core: each.core === 1 ? 17 : each.core,
      isolated: each.cpu === 0 || each.cpu === 16,
    })),
  /** Two packages of four nodes of two caches of four SMT cores, as server parts of many chiplets. */
  "128 CPUs": machine({ packages: 2, nodesPerPackage: 4, llcsPerNode: 2, coresPerLlc: 4, threads: 2 }),
  /** Two packages of four nodes of four caches of eight SMT cores. */
  "512 CPUs": machine({ packages: 2, nodesPerPackage: 4, llcsPerNode: 4, coresPerLlc: 8, threads: 2 }),
  /** Four slow cores, then four fast ones, as big.LITTLE is numbered. */
  "4+4 asymmetric": machine({ packages: 1, coresPerLlc: 8 }).map((each) => ({
    ...each,
    capacity: each.cpu < 4 ? 446 : 1024,
  })),
} satisfies Record<string, CpuTopology[]>;

/** CPUs that guests may use. */
export function usableOf(topology: readonly CpuTopology[]): number[] {
  return topology.filter(({ isolated }) => !isolated).map(({ cpu }) => cpu);
}
