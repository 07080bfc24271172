/** The CPUs of a test host. QEMU numbers them threads first, then cores, then sockets. */

export interface Topology {
  sockets: number;
  /** Cores of a socket. */
  cores: number;
  /** Threads of a core. */
  threads: number;
  /** NUMA nodes, each with an equal run of consecutive CPUs and an equal part of the memory. */
  nodes: number;
}

/** What `npm test` boots: two CPUs of one socket. */
export const TWO_CPUS: Topology = { sockets: 1, cores: 2, threads: 1, nodes: 1 };
/** The paper's machine: two sockets of eight cores, a NUMA node each. */
export const PAPER: Topology = { sockets: 2, cores: 8, threads: 1, nodes: 2 };
/** Two sockets of four cores with two threads each, a NUMA node each. */
export const TWO_SOCKETS_SMT: Topology = { sockets: 2, cores: 4, threads: 2, nodes: 2 };

/** Number of CPUs. */
export function cpuCount({ sockets, cores, threads }: Topology): number {
  return sockets * cores * threads;
}

/** QEMU's arguments for a topology. @throws {RangeError} CPUs or memory cannot be divided among the nodes */
export function topologyArgs(topology: Topology, memoryMib: number): string[] {
  const { sockets, cores, threads, nodes } = topology;
  const cpus = cpuCount(topology);
  if (![sockets, cores, threads, nodes].every((part) => Number.isInteger(part) && part > 0)) {
    throw new RangeError(`a topology is of whole parts: ${JSON.stringify(topology)}`);
  }
  if (cpus % nodes !== 0 || memoryMib % nodes !== 0) {
    throw new RangeError(`${cpus} CPUs and ${memoryMib} MiB cannot be divided among ${nodes} NUMA nodes`);
  }
  const smp = `${cpus},sockets=${sockets},dies=1,cores=${cores},threads=${threads}`;
  const args = ["-m", String(memoryMib), "-smp", smp];
  if (nodes === 1) return args;
  const perNode = cpus / nodes;
  for (let node = 0; node < nodes; node++) {
    const range = `${node * perNode}-${(node + 1) * perNode - 1}`;
    args.push("-object", `memory-backend-ram,id=node${node},size=${memoryMib / nodes}M`);
    args.push("-numa", `node,nodeid=${node},cpus=${range},memdev=node${node}`);
  }
  return args;
}
