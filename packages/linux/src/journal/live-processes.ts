/**
 * Whether processes still run, at the cost of one read each: /proc/PID/comm is kept open. The open file stands for this very process,
 * not for its number: once it is gone a read fails (ESRCH), also when the number is used again.
 */
import { closeSync, openSync, readSync } from "node:fs";
import { join } from "node:path";
import { isGone } from "../cgroup/mounts.ts";
import { startTimeOf } from "./host-lock.ts";

interface Process {
  pid: number;
  /** Clock ticks after boot. */
  startTime: number;
}

export class LiveProcesses {
  readonly #procRoot: string;
  readonly #open = new Map<number, { startTime: number; descriptor: number }>();
  readonly #buffer = Buffer.alloc(64);

  constructor(procRoot: string) {
    this.#procRoot = procRoot;
  }

  get openCount(): number {
    return this.#open.size;
  }

  runs({ pid, startTime }: Process): boolean {
    const known = this.#open.get(pid);
    if (known === undefined) return this.#look(pid, startTime);
    try {
      readSync(known.descriptor, this.#buffer, 0, this.#buffer.length, 0);
      return known.startTime === startTime;
    } catch (error) {
      if (!isGone(error)) throw error;
      this.#drop(pid);
      return this.#look(pid, startTime);
    }
  }

  /** Lets go of the processes that are of no interest any more. */
  keepOnly(pids: ReadonlySet<number>): void {
    for (const pid of this.#open.keys()) if (!pids.has(pid)) this.#drop(pid);
  }

  close(): void {
    this.keepOnly(new Set());
  }

  /** The start time is read after the file was opened: both are then of the same process. */
  #look(pid: number, startTime: number): boolean {
    let descriptor: number;
    try {
      descriptor = openSync(join(this.#procRoot, `${pid}/comm`), "r");
    } catch (error) {
      if (isGone(error)) return false;
      throw error;
    }
    this.#open.set(pid, { startTime, descriptor });
    if (startTimeOf(this.#procRoot, pid) === startTime) return true;
    this.#drop(pid);
    return false;
  }

  #drop(pid: number): void {
    const known = this.#open.get(pid);
    this.#open.delete(pid);
    if (known !== undefined) closeSync(known.descriptor);
  }
}
