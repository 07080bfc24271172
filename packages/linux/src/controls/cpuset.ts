/**
 * CPUs of groups (Documentation/admin-guide/cgroup-v1/cpusets.rst, cgroup-v2.rst "Cpuset"). On v1 a group with threads may
 * not be empty and must lie inside its parent, and a parent may not shrink below its children (EBUSY); on v2 an empty
 * `cpuset.cpus` means the parent's CPUs.
 */
import { dirname, join } from "node:path";
import { formatCpuList } from "@kvm-governor/policy";
import type { Write } from "./write.ts";

export interface CpusetChange {
  version: 1 | 2;
  target: string;
  dir: string;
  /** Empty on v2: the parent's. */
  from: readonly number[];
  to: readonly number[];
  /** Threads in the group: needed to make a group of v2 empty again. */
  tids: readonly number[];
}

export const cpusetKey = (dir: string): string => join(dir, "cpuset.cpus");

/** File that tells what a group's threads really get: its CPUs that are online and its parent's. */
export function effectiveCpusKey(version: 1 | 2, dir: string): string {
  return join(dir, version === 1 ? "cpuset.effective_cpus" : "cpuset.cpus.effective");
}

/**
 * Writes that take groups, some of them perhaps above others, from one set to another: widen from the top down, move, then
 * narrow from the bottom up. No group is ever empty, and none is outside its parent. vCPUs that trade places are never crowded on the
 * CPUs of one of them: at every moment they have as many CPUs together as before, or as afterwards.
 */
export function cpusetWrites(changes: readonly CpusetChange[]): Write[] {
  const isInner = (change: CpusetChange): boolean =>
    changes.some((other) => other.dir.startsWith(`${change.dir}/`));
  const inner = changes.filter(isInner).toSorted((a, b) => a.dir.length - b.dir.length);
  const leaves = changes.filter((change) => !isInner(change));
  const widened = inner.map((change) => ({ ...change, to: union(change.from, change.to) }));
  const narrowed = inner.map((change, at) => ({ ...change, from: widened[at]?.to ?? change.from }));
  return [...widened, ...uncrowded(leaves), ...narrowed.toReversed()].flatMap(oneGroup);
}

/** Those that only gain first; those that move have both sets for a moment, but for the last one; those that only lose last. */
function uncrowded(changes: readonly CpusetChange[]): CpusetChange[] {
  const gaining = changes.filter(({ from, to }) => holds(to, from));
  const losing = changes.filter(({ from, to }) => !holds(to, from) && holds(from, to));
  const moving = changes.filter(({ from, to }) => !holds(to, from) && !holds(from, to));
  const others = moving.slice(0, -1);
  const both = others.map((change) => ({ ...change, to: union(change.from, change.to) }));
  const then = others.map((change) => ({ ...change, from: union(change.from, change.to) }));
  return [...gaining, ...both, ...moving.slice(-1), ...then, ...losing];
}

/** An empty set of v2 holds all of the parent's. */
const holds = (set: readonly number[], part: readonly number[]): boolean =>
  set.length === 0 || (part.length > 0 && part.every((cpu) => set.includes(cpu)));

/** An empty set of v2 stands for all of the parent's: nothing is wider. */
function union(a: readonly number[], b: readonly number[]): number[] {
  return a.length === 0 || b.length === 0 ? [] : [...new Set([...a, ...b])].sort((x, y) => x - y);
}

function oneGroup(change: CpusetChange): Write[] {
  const text = formatCpuList(change.to);
  if (text === formatCpuList(change.from)) return [];
  const common = { target: change.target, setting: "cpus" as const };
  const write: Write = { ...common, op: "file", key: cpusetKey(change.dir), text };
  if (change.to.length > 0) return [write];
  // Emptying a populated group is ENOSPC: its threads wait in the group above.
  const { dir, tids } = change;
  const out = tids.map((tid) => threadMove({ ...change, dir: dirname(dir) }, tid));
  const back = tids.map((tid): Write => ({ ...threadMove(change, tid), back: true }));
  return [...out, write, ...back];
}

/** A thread's way into a group. */
export function threadMove(
  { dir, target }: Pick<CpusetChange, "dir" | "target">,
  tid: number,
): Write & { op: "move" } {
  return { op: "move", target, setting: "cpus", key: join(dir, "cgroup.threads"), text: String(tid) };
}
