/**
 * The demo's own measuring, from the kernel's files. It shares no code with the collector on purpose: who judges the
 * services must not use their readers.
 */
import { closeSync, openSync, readFileSync, readSync } from "node:fs";

/** Counters of one guest's vCPUs, summed, since they started. */
export interface GuestReading {
  /** When it was read, in milliseconds of `performance.now()`. */
  atMs: number;
  /** CPU time, nanoseconds (first field of /proc/TID/schedstat). */
  runNs: number;
  /** Time runnable but waiting, nanoseconds (second field). */
  delayNs: number;
  /** Context switches, voluntary and not (/proc/TID/status). */
  switches: number;
}

interface OpenThread {
  schedstat: number;
  status: number;
}

/** Reads the vCPUs of one guest; the files stay open. */
export class GuestMeter {
  readonly #threads: readonly OpenThread[];
  readonly #buffer = Buffer.alloc(8192);

  /** @throws Error from the file system: the guest is gone */
  constructor(tids: readonly number[], procRoot = "/proc") {
    this.#threads = tids.map((tid) => ({
      schedstat: openSync(`${procRoot}/${tid}/schedstat`, "r"),
      status: openSync(`${procRoot}/${tid}/status`, "r"),
    }));
  }

  read(): GuestReading {
    const sum: GuestReading = { atMs: performance.now(), runNs: 0, delayNs: 0, switches: 0 };
    for (const thread of this.#threads) {
      const times = parseSchedstat(this.#text(thread.schedstat));
      sum.runNs += times.runNs;
      sum.delayNs += times.delayNs;
      sum.switches += parseSwitches(this.#text(thread.status));
    }
    return sum;
  }

  close(): void {
    for (const { schedstat, status } of this.#threads) {
      closeSync(schedstat);
      closeSync(status);
    }
  }

  #text(fd: number): string {
    return this.#buffer.toString("latin1", 0, readSync(fd, this.#buffer, 0, this.#buffer.length, 0));
  }
}

/** A file of /proc that is not what the kernel documents. */
export class KernelTextError extends Error {
  override readonly name = "KernelTextError";
}

/** Text of /proc/TID/schedstat: time run, time waited, number of slices (Documentation/scheduler/sched-stats.rst). */
export function parseSchedstat(text: string): { runNs: number; delayNs: number } {
  const fields = /^(\d+) (\d+) \d+\s*$/.exec(text);
  if (fields === null) throw new KernelTextError(`schedstat: not three numbers: ${JSON.stringify(text)}`);
  return { runNs: Number(fields[1]), delayNs: Number(fields[2]) };
}

/** Context switches in the text of /proc/TID/status (proc_pid_status(5)), both kinds together. */
export function parseSwitches(text: string): number {
  const voluntary = /^voluntary_ctxt_switches:\s*(\d+)$/m.exec(text)?.[1];
  const involuntary = /^nonvoluntary_ctxt_switches:\s*(\d+)$/m.exec(text)?.[1];
  if (voluntary === undefined || involuntary === undefined) {
    throw new KernelTextError("status: names no context switches");
  }
  return Number(voluntary) + Number(involuntary);
}

/** Idle time of all CPUs of the host since the boot, in nanoseconds (/proc/stat, in clock ticks of 10 ms). */
export function readHostIdleNs(procRoot = "/proc"): number {
  return parseHostIdleNs(readFileSync(`${procRoot}/stat`, "utf8"));
}

export function parseHostIdleNs(stat: string): number {
  const fields = /^cpu +\d+ \d+ \d+ (\d+) (\d+) /m.exec(stat);
  if (fields === null) throw new KernelTextError("/proc/stat: no line for all CPUs");
  return (Number(fields[1]) + Number(fields[2])) * 10_000_000;
}
