/**
 * Context switches and CPU migrations of a thread, counted by the kernel (perf_event_open(2)).
 * Both are software events and exist on every machine, also where hardware events do not. One group a thread: one read
 * gives both. Descriptors: two a thread.
 */
import { closeSync, readSync } from "node:fs";
import { libc, SyscallError } from "./libc.ts";
import { syscallNumber } from "./syscalls.ts";

const TYPE_SOFTWARE = 1;
const SW_CONTEXT_SWITCHES = 3;
const SW_CPU_MIGRATIONS = 4;
const FORMAT_GROUP = 8n;
const FLAG_FD_CLOEXEC = 8;
/** `struct perf_event_attr` as of its first version; later fields are zero. */
const ATTR_BYTES = 64;
/** `{ u64 nr; u64 values[2] }` */
const GROUP_BYTES = 24;
const ANY_CPU = -1;
const NO_GROUP = -1;

const syscall = libc.func(
  "long syscall(long number, const void *attr, int tid, int cpu, int groupFd, unsigned long flags)",
);

/** Descriptors that one thread's counters need. */
export const PERF_DESCRIPTORS = 2;

/** A counter gave something else than counts. */
export class PerfUnavailableError extends Error {
  override readonly name = "PerfUnavailableError";
}

/** Counters of one thread, open until closed; they go on counting 0 more after the thread is gone. */
export class PerfGroup {
  switches = 0;
  migrations = 0;
  readonly #leader: number;
  readonly #sibling: number;

  /**
   * Begins to count at 0. Children of the thread are not counted.
   * @throws {UnsupportedArchitectureError} the call's number is not known here
   * @throws {SyscallError} ESRCH: the thread is gone; EACCES, EPERM: no CAP_PERFMON; EMFILE; ENOSYS: seccomp or kernel
   */
  constructor(tid: number) {
    this.#leader = openCounter(tid, SW_CONTEXT_SWITCHES, NO_GROUP);
    try {
      this.#sibling = openCounter(tid, SW_CPU_MIGRATIONS, this.#leader);
    } catch (error) {
      closeSync(this.#leader);
      throw error;
    }
  }

  /**
   * Reads both counters.
   * @param scratch at least 24 bytes; overwritten
   */
  read(scratch: Buffer): void {
    const length = readSync(this.#leader, scratch, 0, GROUP_BYTES, null);
    if (length !== GROUP_BYTES)
      throw new PerfUnavailableError(`perf read gave ${length} bytes, not ${GROUP_BYTES}`);
    this.switches = uint64(scratch, 8);
    this.migrations = uint64(scratch, 16);
  }

  close(): void {
    closeSync(this.#sibling);
    closeSync(this.#leader);
  }
}

/** Without BigInt, which costs an allocation: exact up to 2^53. */
function uint64(buffer: Buffer, at: number): number {
  return buffer.readUInt32LE(at) + buffer.readUInt32LE(at + 4) * 2 ** 32;
}

function openCounter(tid: number, event: number, groupFd: number): number {
  const number = syscallNumber("perf_event_open");
  const attr = Buffer.alloc(ATTR_BYTES);
  attr.writeUInt32LE(TYPE_SOFTWARE, 0);
  attr.writeUInt32LE(ATTR_BYTES, 4);
  attr.writeBigUInt64LE(BigInt(event), 8);
  attr.writeBigUInt64LE(FORMAT_GROUP, 32);
  // The flag bits stay 0: enabled at once, not inherited, and kernel mode *not* excluded: switches happen there, with
  // exclude_kernel they would all count 0.
  const fd = syscall(number, attr, tid, ANY_CPU, groupFd, FLAG_FD_CLOEXEC) as number;
  if (fd < 0) throw new SyscallError("perf_event_open", `thread ${tid}`);
  return fd;
}

/**
 * Whether counters count: opens them on this thread, gives up the CPU, and looks. Without CAP_PERFMON a counter can
 * open and stay at 0 (perf_event_paranoid, containers), so that opening alone proves nothing.
 * @returns undefined where they work, else why not
 */
export function perfProblem(): string | undefined {
  let group: PerfGroup | undefined;
  try {
    // The main thread's id is that of the process.
    group = new PerfGroup(process.pid);
    const scratch = Buffer.alloc(GROUP_BYTES);
    giveUpCpu();
    group.read(scratch);
    return group.switches > 0 ? undefined : "counters open but count nothing (CAP_PERFMON is missing?)";
  } catch (error) {
    return (error as Error).message;
  } finally {
    group?.close();
  }
}

/** Sleeps for some milliseconds: at least one voluntary switch. */
function giveUpCpu(): void {
  const nobodyWakes = new Int32Array(new SharedArrayBuffer(4));
  Atomics.wait(nobodyWakes, 0, 0, 2);
}
