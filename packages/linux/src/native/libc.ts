/** The few calls of libc that Node does not offer, through koffi. Linux with glibc only. */
import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const errnoOf = (): number => koffi.errno();

/** A system call that failed: its name, errno, and what it was asked to do. */
export class SyscallError extends Error {
  override readonly name = "SyscallError";
  readonly errno: number;
  /** Symbolic name, e.g. `ESRCH`. */
  readonly code: string;
  constructor(call: string, subject: string) {
    const errno = errnoOf();
    const code = errnoName(errno);
    super(`${call}(${subject}): ${code}`);
    this.errno = errno;
    this.code = code;
  }
}

const errnoNames = new Map(Object.entries(koffi.os.errno).map(([name, value]) => [value, name]));

function errnoName(errno: number): string {
  return errnoNames.get(errno) ?? `errno ${errno}`;
}

// Without a name: koffi's names are global, and a test runner loads this file more than once in a process.
const timespec = koffi.struct({ tv_sec: "int64", tv_nsec: "int64" });
const clockGettime = libc.func("clock_gettime", "int", ["int", koffi.out(koffi.pointer(timespec))]);

const CLOCK_BOOTTIME = 7;

/** CLOCK_BOOTTIME in microseconds: never restarts within a boot and goes on in suspend (clock_gettime(2)). */
export function bootTimeUs(): number {
  const now = { tv_sec: 0, tv_nsec: 0 };
  if (clockGettime(CLOCK_BOOTTIME, now) !== 0) throw new SyscallError("clock_gettime", "CLOCK_BOOTTIME");
  return now.tv_sec * 1_000_000 + Math.floor(now.tv_nsec / 1000);
}

const clockGettimeRaw = libc.func("int clock_gettime(int clock, void *time)");
const time = Buffer.alloc(16);
/** CPUCLOCK_SCHED of include/linux/posix-timers.h: run time to the nanosecond. */
const CPUCLOCK_SCHED = 2;

/**
 * CPU time of a process, of all threads that it has or had, in nanoseconds (clock_getcpuclockid(3)).
 * @returns undefined where there is no such process
 */
export function processCpuNs(pid: number): number | undefined {
  // The clock of a process is a number made of its id (MAKE_PROCESS_CPUCLOCK).
  if (clockGettimeRaw((~pid << 3) | CPUCLOCK_SCHED, time) !== 0) return undefined;
  return time.readUInt32LE(0) * 1e9 + time.readUInt32LE(8);
}

/** Room for 8,192 CPUs: the largest NR_CPUS of distribution kernels. */
const CPU_MASK_BYTES = 1024;
const schedGetaffinity = libc.func("int sched_getaffinity(int pid, size_t size, void *mask)");
const schedSetaffinity = libc.func("int sched_setaffinity(int pid, size_t size, const void *mask)");

/**
 * CPUs that a thread may run on, ascending (sched_getaffinity(2)).
 * @throws {SyscallError} ESRCH: the thread is gone
 */
export function getAffinity(tid: number): number[] {
  const mask = Buffer.alloc(CPU_MASK_BYTES);
  if (schedGetaffinity(tid, mask.length, mask) < 0) throw new SyscallError("sched_getaffinity", String(tid));
  const cpus: number[] = [];
  for (const [byte, bits] of mask.entries()) {
    if (bits === 0) continue;
    for (let bit = 0; bit < 8; bit++) if ((bits & (1 << bit)) !== 0) cpus.push(byte * 8 + bit);
  }
  return cpus;
}

/**
 * Sets the CPUs that a thread may run on (sched_setaffinity(2)).
 * @throws {SyscallError} ESRCH: the thread is gone; EINVAL: none of the CPUs is online and in its cpuset; EPERM
 */
export function setAffinity(tid: number, cpus: readonly number[]): void {
  const mask = Buffer.alloc(CPU_MASK_BYTES);
  for (const cpu of cpus) mask.writeUInt8(mask.readUInt8(cpu >> 3) | (1 << (cpu & 7)), cpu >> 3);
  if (schedSetaffinity(tid, mask.length, mask) < 0) {
    throw new SyscallError("sched_setaffinity", `${tid}, ${cpus.join(",")}`);
  }
}

const flock = libc.func("int flock(int fd, int operation)");
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Takes an exclusive lock on an open file, for as long as it stays open (flock(2)).
 * @returns false where another process holds it
 * @throws {SyscallError} anything but EWOULDBLOCK
 */
export function tryLock(fd: number): boolean {
  if (flock(fd, LOCK_EX | LOCK_NB) === 0) return true;
  if (errnoOf() === koffi.os.errno["EWOULDBLOCK"] || errnoOf() === koffi.os.errno["EAGAIN"]) return false;
  throw new SyscallError("flock", String(fd));
}

export { libc, errnoOf };
