/**
 * Which thread of a VMM is what. QEMU names its threads when it runs with `debug-threads=on` (always under libvirt):
 * `CPU 0/KVM` (`CPU 0/TCG` under emulation), `IO iothread1`, `IO mon_iothread`, `worker`; all others, the main loop
 * and the kernel's `vhost-PID` threads too, are the emulator's.
 */
import type { IoThread, VcpuThread } from "./guest.ts";

/** One thread of a process: its id and its comm (at most 15 bytes). */
export interface ThreadName {
  tid: number;
  comm: string;
}

export interface GuestThreads {
  vcpus: VcpuThread[];
  ioThreads: IoThread[];
  emulatorTids: number[];
}

/** The vCPU threads of a process cannot be told from its others. */
export class UnknownThreadsError extends Error {
  override readonly name = "UnknownThreadsError";
  /** Nothing speaks against the guest: its vCPU threads may yet appear, as they do while QEMU starts. */
  readonly mayAppear: boolean;
  constructor(problem: string, mayAppear = false) {
    super(problem);
    this.mayAppear = mayAppear;
  }
}

const VCPU_COMM = /^CPU (\d{1,5})\/[A-Z]+$/;
// Names of other I/O threads (`-object iothread,id=disk`) carry no number: they count as the emulator's.
const IO_COMM = /^IO iothread(\d{1,5})$/;
const SHARED_TCG_COMM = /^ALL CPUs\//;

/**
 * Sorts the threads of one VMM.
 * @param known vCPU threads by libvirt's status file; those that are not alive are left out (unplugged, or the file
 * is older than the process's threads), those that are alive but not in it are taken by name (just plugged)
 * @throws {UnknownThreadsError} none can be told, or two claim to be the same vCPU: never guessed
 */
export function sortThreads(threads: readonly ThreadName[], known: readonly VcpuThread[] = []): GuestThreads {
  const byTid = new Map(threads.map((thread) => [thread.tid, thread.comm]));
  const vcpus = new Map<number, number>();
  for (const { index, tid } of known) {
    const comm = byTid.get(tid);
    if (comm === undefined) continue;
    const named = vcpuIndex(comm);
    if (named !== undefined && named !== index) {
      throw new UnknownThreadsError(
        `libvirt says thread ${tid} is vCPU ${index}, its name says vCPU ${named}`,
      );
    }
    vcpus.set(index, tid);
  }
  addNamed(vcpus, threads, new Set(vcpus.keys()));
  if (vcpus.size === 0) throw noVcpus(threads);
  return split(threads, vcpus);
}

function addNamed(
  vcpus: Map<number, number>,
  threads: readonly ThreadName[],
  known: ReadonlySet<number>,
): void {
  for (const { tid, comm } of threads) {
    const index = vcpuIndex(comm);
    if (index === undefined || vcpus.get(index) === tid) continue;
    const other = vcpus.get(index);
    if (other === undefined) vcpus.set(index, tid);
    // A library's thread inherits the name of the vCPU that made it; only libvirt can say which is which.
    else if (!known.has(index)) {
      throw new UnknownThreadsError(`threads ${other} and ${tid} are both named ${JSON.stringify(comm)}`);
    }
  }
}

function noVcpus(threads: readonly ThreadName[]): UnknownThreadsError {
  if (threads.some(({ comm }) => SHARED_TCG_COMM.test(comm))) {
    return new UnknownThreadsError("all vCPUs share one thread (single-threaded TCG)");
  }
  return new UnknownThreadsError(
    "no thread is named as a vCPU: QEMU runs with debug-threads=off, or is starting",
    true,
  );
}

function split(threads: readonly ThreadName[], vcpus: ReadonlyMap<number, number>): GuestThreads {
  const vcpuTids = new Set(vcpus.values());
  const ioThreads = new Map<number, number>();
  const emulatorTids: number[] = [];
  for (const { tid, comm } of threads) {
    if (vcpuTids.has(tid)) continue;
    const id = IO_COMM.exec(comm)?.[1];
    if (id !== undefined && !ioThreads.has(Number(id))) ioThreads.set(Number(id), tid);
    else emulatorTids.push(tid);
  }
  return {
    vcpus: [...vcpus].map(([index, tid]) => ({ index, tid })).sort((a, b) => a.index - b.index),
    ioThreads: [...ioThreads].map(([id, tid]) => ({ id, tid })).sort((a, b) => a.id - b.id),
    emulatorTids: emulatorTids.sort((a, b) => a - b),
  };
}

function vcpuIndex(comm: string): number | undefined {
  const index = VCPU_COMM.exec(comm)?.[1];
  return index === undefined ? undefined : Number(index);
}
