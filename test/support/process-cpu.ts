/** CPU time of other processes, as the scheduler counts it: to the nanosecond, threads that ended included. */
import koffi from "koffi";

const libc = koffi.load("libc.so.6");
const timespec = koffi.struct({ tv_sec: "int64", tv_nsec: "int64" });
const clockGettime = libc.func("clock_gettime", "int", ["int", koffi.out(koffi.pointer(timespec))]);

/** CPUCLOCK_SCHED of include/linux/posix-timers.h: run time, in place of the parts that ticks found. */
const CPUCLOCK_SCHED = 2;

/**
 * CPU time of a process and all its threads since it began, in milliseconds. /proc/PID/stat has it in steps of 10.
 * @throws {Error} there is no such process
 */
export function processCpuMs(pid: number): number {
  const now = { tv_sec: 0, tv_nsec: 0 };
  // The clock of a process is a number made of its id (clock_getcpuclockid(3), MAKE_PROCESS_CPUCLOCK).
  if (clockGettime((~pid << 3) | CPUCLOCK_SCHED, now) !== 0)
    throw new Error(`no CPU clock of process ${pid}`);
  return now.tv_sec * 1000 + now.tv_nsec / 1e6;
}
