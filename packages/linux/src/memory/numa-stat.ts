/**
 * On which NUMA nodes memory lies, as the kernel prints it: memory.numa_stat of a control group
 * (Documentation/admin-guide/cgroup-v1/memory.rst, cgroup-v2.rst) and /proc/PID/numa_maps
 * (Documentation/filesystems/proc.rst).
 */

/** Amount on each node; only their ratio means something. */
export type MemoryByNode = ReadonlyMap<number, number>;

/** What belongs to a guest. Page cache of its disk images does not: the guest's vCPUs do not touch it. */
const OWN_LINES = {
  // Pages; with those of the groups below. Shared memory of a guest is on the anon lists too, locked memory apart.
  1: /^hierarchical_(?:anon|unevictable)=/,
  // Bytes; always with the groups below.
  2: /^(?:anon|shmem) /,
} as const;

/** @returns empty where nothing is said */
export function parseNumaStat(text: string, version: 1 | 2): MemoryByNode {
  const amounts = new Map<number, number>();
  for (const line of text.split("\n")) if (OWN_LINES[version].test(line)) addNodes(amounts, line, 1);
  return amounts;
}

/** All mappings of a process, in kB. Huge pages count as many times as they are large. */
export function parseNumaMaps(text: string): MemoryByNode {
  const amounts = new Map<number, number>();
  for (const line of text.split("\n")) {
    const size = / kernelpagesize_kB=(\d+)/.exec(line)?.[1];
    if (size !== undefined) addNodes(amounts, line, Number(size));
  }
  return amounts;
}

function addNodes(amounts: Map<number, number>, line: string, unit: number): void {
  for (const [, node, amount] of line.matchAll(/ N(\d+)=(\d+)/g)) {
    amounts.set(Number(node), (amounts.get(Number(node)) ?? 0) + Number(amount) * unit);
  }
}

/** Part of the memory on each node, in hundredths, ascending by node; nodes with less are left out. */
export function memoryShares(amounts: MemoryByNode): { node: number; share: number }[] {
  let sum = 0;
  for (const amount of amounts.values()) sum += amount;
  if (sum === 0) return [];
  return [...amounts]
    .map(([node, amount]) => ({ node, share: Math.round((amount / sum) * 100) / 100 }))
    .filter(({ share }) => share > 0)
    .sort((a, b) => a.node - b.node);
}
