/**
 * A simple model of how a kernel shares CPUs among vCPUs, for simulated hosts: who ranks higher is served first, and within a
 * rank all get the same part of what they want. Pure.
 */

/** What one vCPU wants, and what holds it. */
export interface VcpuDemand {
  /** Part of a CPU, 0 to 1. */
  wanted: number;
  /** Bandwidth limit in cores. */
  limit: number;
  /** `idle` is served after all others. */
  isIdle: boolean;
  /** CPUs that it may run on: vCPUs of the same set share it. `all`: wherever no set is. */
  cpus: readonly number[] | "all";
}

/**
 * @param cpus of the host
 * @returns the part of a CPU that each vCPU runs, in the same order; never more than wanted or its limit
 */
export function shareCpus(demands: readonly VcpuDemand[], cpus: number): number[] {
  const run = demands.map(() => 0);
  const pools = poolsOf(demands, cpus);
  for (const { members, size } of pools.values()) {
    let left = size;
    for (const isIdle of [false, true]) {
      const rank = members.filter((at) => demands[at]?.isIdle === isIdle);
      let sum = 0;
      for (const at of rank) sum += mostOf(demands[at]);
      const part = sum <= left ? 1 : left / sum;
      for (const at of rank) run[at] = mostOf(demands[at]) * part;
      left -= sum * part;
    }
  }
  return run;
}

const mostOf = (demand: VcpuDemand | undefined): number =>
  demand === undefined ? 0 : Math.min(demand.wanted, demand.limit);

interface Pool {
  members: number[];
  size: number;
}

function poolsOf(demands: readonly VcpuDemand[], cpus: number): Map<string, Pool> {
  const pools = new Map<string, Pool>();
  const named = new Set<number>();
  for (const [at, { cpus: set }] of demands.entries()) {
    const key = set === "all" ? "all" : set.join();
    const pool = pools.get(key);
    if (pool !== undefined) pool.members.push(at);
    else pools.set(key, { members: [at], size: set === "all" ? 0 : set.length });
    if (set !== "all" && pool === undefined) for (const cpu of set) named.add(cpu);
  }
  const everywhere = pools.get("all");
  // Whoever may run anywhere has at least what nobody else is bound to.
  if (everywhere !== undefined) everywhere.size = Math.max(1, cpus - named.size);
  return pools;
}
