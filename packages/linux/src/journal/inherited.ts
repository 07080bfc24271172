/**
 * A thread begins with the affinity of the one that makes it (sched_setaffinity(2)). Made by a thread that is held, it begins with what was
 * written there, and its first value is that of its maker. QEMU makes workers, vhost threads, I/O threads and hot-plugged vCPUs
 * at any time.
 */
import { join } from "node:path";
import type { ControlIo } from "../controls/kernel-io.ts";
import { affinityKey } from "../controls/write.ts";
import { listIfThere, readIfThere } from "../proc/read.ts";
import type { JournalEntry } from "./entries.ts";
import { startTimeOf } from "./host-lock.ts";
import type { ThreadBaseline } from "./records.ts";

export interface InheritedContext {
  io: Pick<ControlIo, "read">;
  procRoot: string;
  /** CPU list that a thread is held on, which may have gone back by now; absent: what it has. */
  heldOn?: (tid: number) => string | undefined;
}

type Held = Pick<JournalEntry, "guest" | "threads">;
/** A thread that the journal does not know, and what it may run on now. */
type Born = Pick<ThreadBaseline, "tid" | "startTime" | "cpus">;

/**
 * The CPUs that a thread would have had its maker not been held. It is taken for inherited where the thread is younger than the first write
 * to its maker, in the same groups, and still has what the maker is held on; a choice of its own is left alone.
 * @returns undefined where it inherited nothing of ours
 */
export function inheritedCpus(born: Born, held: Held, context: InheritedContext): string | undefined {
  const { pid } = held.guest;
  const { io, procRoot, heldOn = (tid: number) => io.read(affinityKey(tid)) } = context;
  const hasIts = (tid: number): boolean => heldOn(tid) === born.cpus;
  // Most threads are made by the first one; where that has the same CPUs, nothing speaks for another maker.
  const [maker] = hasIts(pid)
    ? [held.threads.get(pid)]
    : [...held.threads.values()].filter(({ tid }) => hasIts(tid));
  const isOlder = maker?.heldSince !== undefined && maker.heldSince <= born.startTime;
  if (maker === undefined || !isOlder || maker.cpus === born.cpus) return undefined;
  const isMaker =
    startTimeOf(procRoot, pid, maker.tid) === maker.startTime &&
    groupsOf(procRoot, pid, maker.tid) === groupsOf(procRoot, pid, born.tid);
  return isMaker ? maker.cpus : undefined;
}

const groupsOf = (procRoot: string, pid: number, tid: number): string | undefined =>
  readIfThere(join(procRoot, `${pid}/task/${tid}/cgroup`));

/** Whether anything of a guest is held that its threads inherit. */
export const isInheritable = ({ threads }: Held): boolean =>
  [...threads.values()].some(({ heldSince }) => heldSince !== undefined);

/** First values of these threads where the journal does not know them and they inherited what is held. */
export function inheritedBaselines(
  tids: readonly number[],
  held: Held,
  context: InheritedContext,
): ThreadBaseline[] {
  if (!isInheritable(held)) return [];
  return tids.flatMap((tid) => {
    const startTime = startTimeOf(context.procRoot, held.guest.pid, tid);
    if (startTime === undefined || held.threads.get(tid)?.startTime === startTime) return [];
    const now = context.io.read(affinityKey(tid));
    const cpus = now === undefined ? undefined : inheritedCpus({ tid, startTime, cpus: now }, held, context);
    return cpus === undefined ? [] : { tid, startTime, target: "emulator", cpus };
  });
}

/** The same for all threads that the guest has now. */
export function allInherited(held: Held, context: InheritedContext): ThreadBaseline[] {
  if (!isInheritable(held)) return [];
  const tids = listIfThere(join(context.procRoot, `${held.guest.pid}/task`)) ?? [];
  return inheritedBaselines(tids.map(Number), held, context);
}
