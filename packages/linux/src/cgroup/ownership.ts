/** Whether a group holds nothing but one guest: only such groups may be written to. */
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { isGone, type KernelRoots } from "./mounts.ts";

/** PF_KTHREAD of include/linux/sched.h, in field 9 of /proc/PID/stat. */
const KERNEL_THREAD_FLAG = 0x0020_0000;
/** Before Linux 6.4 the kernel's helpers of a guest are processes of their own in the guest's groups. */
const HELPER_NAMES = /^(vhost-|kvm-pit\/|kvm-nx-lpage)/;

/** Whether every process of a group and of all groups below it is the guest's, or a helper that the kernel runs for it. */
export function isOwnTree(roots: KernelRoots, dir: string, pid: number): boolean {
  if (!isOwnGroup(roots, dir, pid)) return false;
  return childGroups(dir).every((child) => isOwnTree(roots, child, pid));
}

/** The same for one group, without those below it. */
export function isOwnGroup(roots: KernelRoots, dir: string, pid: number): boolean {
  const processes = readIds(join(dir, "cgroup.procs"));
  if (processes !== undefined) return processes.every((id) => isOfGuest(roots, id, pid));
  const threads = readIds(join(dir, "cgroup.threads")) ?? [0];
  return threads.every((tid) => isThreadOf(roots, tid, pid));
}

/** Thread ids in one group, without those below it: `tasks` on v1, `cgroup.threads` on v2. */
export function threadsOfGroup(dir: string, version: 1 | 2): number[] {
  return readIds(join(dir, version === 1 ? "tasks" : "cgroup.threads")) ?? [];
}

/** A threaded group of v2 refuses `cgroup.procs` with EOPNOTSUPP, which Node calls ENOTSUP: the threaded root lists its processes. */
function readIds(file: string): number[] | undefined {
  try {
    return readFileSync(file, "utf8").split("\n").filter(Boolean).map(Number);
  } catch (error) {
    if (isGone(error) || (error as NodeJS.ErrnoException).code === "ENOTSUP") return undefined;
    throw error;
  }
}

function childGroups(dir: string): string[] {
  try {
    const entries = readdirSync(dir, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map((entry) => join(dir, entry.name));
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** Id 0 stands for a process of another PID namespace: somebody else's. */
function isOfGuest(roots: KernelRoots, id: number, pid: number): boolean {
  return id === pid || (id > 0 && isKernelHelper(roots, id));
}

function isThreadOf(roots: KernelRoots, tid: number, pid: number): boolean {
  if (tid <= 0) return false;
  return (
    readText(join(roots.procRoot, `${pid}/task/${tid}/comm`)) !== undefined || isKernelHelper(roots, tid)
  );
}

/** A user's process may bear any name: the kernel's own flag decides that it is a kernel thread. */
function isKernelHelper(roots: KernelRoots, id: number): boolean {
  const stat = readText(join(roots.procRoot, `${id}/stat`));
  if (stat === undefined) return false;
  const end = stat.lastIndexOf(")");
  const name = stat.slice(stat.indexOf("(") + 1, end);
  const flags = Number(stat.slice(end + 2).split(" ")[6]);
  return (flags & KERNEL_THREAD_FLAG) !== 0 && HELPER_NAMES.test(name);
}

function readText(file: string): string | undefined {
  try {
    return readFileSync(file, "utf8");
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}
