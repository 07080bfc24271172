/** System calls that libc has no function for, by their numbers: these differ by architecture. */

/** Architectures that kvm-governor runs on, as Node names them. */
export type Architecture = "x64" | "arm64";
export type Syscall = "perf_event_open" | "sched_setattr" | "sched_getattr";

/** Linux: arch/x86/entry/syscalls/syscall_64.tbl; include/uapi/asm-generic/unistd.h (arm64). Numbers never change once given. */
export const SYSCALL_NUMBERS: Readonly<Record<Architecture, Readonly<Record<Syscall, number>>>> = {
  x64: { perf_event_open: 298, sched_setattr: 314, sched_getattr: 315 },
  arm64: { perf_event_open: 241, sched_setattr: 274, sched_getattr: 275 },
};

/** This machine's processor is none that kvm-governor was made for. A wrong number would be another system call, made as root. */
export class UnsupportedArchitectureError extends Error {
  override readonly name = "UnsupportedArchitectureError";
}

/** @throws {UnsupportedArchitectureError} */
export function syscallNumber(call: Syscall, architecture: string = process.arch): number {
  if (!Object.hasOwn(SYSCALL_NUMBERS, architecture)) {
    const known = Object.keys(SYSCALL_NUMBERS).join(" and ");
    throw new UnsupportedArchitectureError(
      `the number of the system call ${call} is not known on ${architecture}: kvm-governor runs on ${known}`,
    );
  }
  return SYSCALL_NUMBERS[architecture as Architecture][call];
}
