/** EEVDF's slice of a thread: how long it may run before another that is due takes its CPU (sched_setattr(2), Linux 6.12 and later). */
import { SyscallError, libc } from "../../../packages/linux/src/native/libc.ts";
import { syscallNumber } from "../../../packages/linux/src/native/syscalls.ts";

/** `struct sched_attr` as of its first version; `sched_runtime`, in nanoseconds, is the slice of a thread of the fair class. */
const ATTR_BYTES = 48;
const RUNTIME_AT = 24;
const NO_FLAGS = 0;
/** Lets the kernel choose. */
export const KERNELS_SLICE_NS = 0;

// `what` is the size for sched_getattr and the flags for sched_setattr, which finds its size in the structure.
const syscall = libc.func(
  "long syscall(long number, int tid, void *attr, unsigned int what, unsigned int flags)",
);

/**
 * The slice in nanoseconds; 0 where the kernel knows no slices of threads of the fair class.
 * @throws {SyscallError} ESRCH: the thread is gone
 */
export function getSliceNs(tid: number): number {
  return Number(readAttr(tid).readBigUInt64LE(RUNTIME_AT));
}

/**
 * Sets the slice and leaves policy and nice value as they are; the kernel keeps it between 0.1 and 100 ms.
 * @param ns {@link KERNELS_SLICE_NS}: as if it had never been set
 * @throws {SyscallError} ESRCH: the thread is gone; EPERM
 */
export function setSliceNs(tid: number, ns: number): void {
  const attr = readAttr(tid);
  attr.writeBigUInt64LE(BigInt(ns), RUNTIME_AT);
  if (syscall(syscallNumber("sched_setattr"), tid, attr, NO_FLAGS, NO_FLAGS) !== 0)
    throw new SyscallError("sched_setattr", `${tid}, ${ns} ns`);
}

/** Whether this kernel takes slices: older ones ignore them without an error. */
export const hasSlices = (): boolean => getSliceNs(process.pid) > 0;

function readAttr(tid: number): Buffer {
  const attr = Buffer.alloc(ATTR_BYTES);
  if (syscall(syscallNumber("sched_getattr"), tid, attr, ATTR_BYTES, NO_FLAGS) !== 0)
    throw new SyscallError("sched_getattr", String(tid));
  return attr;
}
