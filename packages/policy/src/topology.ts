/**
 * The CPUs of a host as a tree: host, packages, NUMA nodes, last-level caches, cores. Read from a `host` message once,
 * used at every tick.
 *
 * Words: a *place* is the index of a CPU in the order of the tree, so that a *domain* (all CPUs of a package, say) is a
 * run of places. CPU numbers have holes and siblings far apart; places have not.
 */
import type { CpuTopology } from "./contracts/host.ts";

/** CPUs that share something: the places `first` to `end` - 1. */
export interface Domain {
  first: number;
  end: number;
  /** The parts of it; none where all its CPUs share a last-level cache. */
  children: readonly Domain[];
}

export class Topology {
  /** CPU number at each place. */
  readonly cpus: Int32Array;
  /** Ids of what the CPU at each place belongs to. */
  readonly packages: Int32Array;
  readonly nodes: Int32Array;
  readonly llcs: Int32Array;
  /** First place, and place after the last, of the core that each place belongs to. */
  readonly coreFirst: Int32Array;
  readonly coreEnd: Int32Array;
  /** Speed of the CPU at each place, as part of the fastest one's: 0 to 1. */
  readonly capacity: Float64Array;
  /** Whether some CPUs are slower than others. */
  readonly isAsymmetric: boolean;
  /** All domains, parts before what they are parts of; the last one is the host. */
  readonly domains: readonly Domain[];
  /** CPUs of the largest last-level cache, node and package, and threads of the smallest core. */
  readonly largest: Readonly<{ llc: number; node: number; package: number }>;
  readonly threadsMin: number;
  readonly #placeOf: Int32Array;

  /** @param topology the online CPUs, in any order, each once */
  constructor(topology: readonly CpuTopology[]) {
    const sorted = topology.toSorted(
      (a, b) => a.package - b.package || a.node - b.node || a.llc - b.llc || a.core - b.core || a.cpu - b.cpu,
    );
    this.cpus = Int32Array.from(sorted, ({ cpu }) => cpu);
    this.packages = Int32Array.from(sorted, (each) => each.package);
    this.nodes = Int32Array.from(sorted, ({ node }) => node);
    this.llcs = Int32Array.from(sorted, ({ llc }) => llc);
    const fastest = Math.max(...sorted.map(({ capacity = 0 }) => capacity));
    // A CPU that does not say is as fast as the fastest: x86 has no such file, and all or none have one.
    this.capacity = Float64Array.from(sorted, ({ capacity = fastest }) =>
      fastest > 0 ? capacity / fastest : 1,
    );
    this.isAsymmetric = this.capacity.some((value) => value < 1);
    const cores = Int32Array.from(sorted, ({ core }) => core);
    this.coreFirst = new Int32Array(sorted.length);
    this.coreEnd = new Int32Array(sorted.length);
    let threadsMin = Infinity;
    for (const [first, end] of runs(cores, 0, cores.length)) {
      this.coreFirst.fill(first, first, end);
      this.coreEnd.fill(end, first, end);
      threadsMin = Math.min(threadsMin, end - first);
    }
    this.threadsMin = threadsMin;
    this.largest = {
      llc: commonest(this.llcs),
      node: commonest(this.nodes),
      package: commonest(this.packages),
    };
    const domains: Domain[] = [];
    domainOf(0, sorted.length, [this.packages, this.nodes, this.llcs], domains);
    this.domains = domains;
    this.#placeOf = new Int32Array(Math.max(0, ...this.cpus) + 1).fill(-1);
    for (const [place, cpu] of this.cpus.entries()) this.#placeOf[cpu] = place;
  }

  /** Place of a CPU; -1 where it is not known here. */
  placeOf(cpu: number): number {
    return this.#placeOf[cpu] ?? -1;
  }
}

/** What is known without a `host` message: nothing, so every CPU is a core and all are alike. */
export function flatTopology(cpus: readonly number[]): Topology {
  const first = cpus[0] ?? 0;
  return new Topology(
    cpus.map((cpu) => ({ cpu, package: 0, node: 0, llc: first, core: cpu, isolated: false })),
  );
}

/** Runs of equal ids between two places. */
function* runs(ids: Int32Array, from: number, to: number): Generator<[first: number, end: number]> {
  let first = from;
  for (let place = from + 1; place <= to; place++) {
    if (place < to && ids[place] === ids[first]) continue;
    yield [first, place];
    first = place;
  }
}

/** A level that does not divide (one node in each package) leaves no trace. */
function domainOf(first: number, end: number, levels: readonly Int32Array[], all: Domain[]): Domain {
  let [ids, ...below] = levels;
  let parts: [number, number][] = [];
  for (; ids !== undefined; [ids, ...below] = below) {
    parts = [...runs(ids, first, end)];
    if (parts.length > 1) break;
  }
  const children = parts.length > 1 ? parts.map(([from, to]) => domainOf(from, to, below, all)) : [];
  const domain = { first, end, children };
  all.push(domain);
  return domain;
}

/** How often the id that occurs most does. */
function commonest(ids: Int32Array): number {
  const counts = new Map<number, number>();
  for (const id of ids) counts.set(id, (counts.get(id) ?? 0) + 1);
  return Math.max(0, ...counts.values());
}
