/** How many files this process may have open (getrlimit(2)). */
import { libc, SyscallError } from "./libc.ts";

const RLIMIT_NOFILE = 7;
const THIS_PROCESS = 0;
/** `rlim64_t` of "no limit"; more than any number of descriptors. */
const INFINITY = 0xffff_ffff_ffff_ffffn;

const prlimit = libc.func("int prlimit64(int pid, int resource, const void *wanted, void *former)");

export interface FileLimit {
  soft: number;
  hard: number;
}

/** @throws {SyscallError} */
export function fileLimit(): FileLimit {
  const former = Buffer.alloc(16);
  if (prlimit(THIS_PROCESS, RLIMIT_NOFILE, null, former) !== 0) throw new SyscallError("prlimit64", "NOFILE");
  return { soft: limitAt(former, 0), hard: limitAt(former, 8) };
}

/**
 * Raises the soft limit to the hard one. Node does so at its start; a limit that was lowered since is raised again.
 * @returns the limit that is in force afterwards
 * @throws {SyscallError}
 */
export function raiseFileLimit(): number {
  const { soft, hard } = fileLimit();
  if (soft >= hard) return soft;
  const wanted = Buffer.alloc(16);
  for (const at of [0, 8]) wanted.writeBigUInt64LE(Number.isFinite(hard) ? BigInt(hard) : INFINITY, at);
  if (prlimit(THIS_PROCESS, RLIMIT_NOFILE, wanted, null) !== 0) {
    throw new SyscallError("prlimit64", `NOFILE ${hard}`);
  }
  return hard;
}

function limitAt(buffer: Buffer, at: number): number {
  const value = buffer.readBigUInt64LE(at);
  return value === INFINITY ? Infinity : Number(value);
}
