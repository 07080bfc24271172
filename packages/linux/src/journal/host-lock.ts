/** One writer on a host: `stateDir/lock`, held by flock(2) for as long as the process lives, with its pid inside. */
import { closeSync, fstatSync, ftruncateSync, mkdirSync, openSync, statSync } from "node:fs";
import { writeSync } from "node:fs";
import { join } from "node:path";
import { tryLock } from "../native/libc.ts";
import { readIfThere } from "../proc/read.ts";
import { parseProcStat } from "../proc/stat.ts";

/** Another process writes on this host. */
export class HostLockedError extends Error {
  override readonly name = "HostLockedError";
  readonly holder: LockHolder | undefined;
  constructor(file: string, holder: LockHolder | undefined) {
    super(`${file} is held by ${holder === undefined ? "another process" : `process ${holder.pid}`}`);
    this.holder = holder;
  }
}

export interface LockHolder {
  pid: number;
  /** Clock ticks after boot: tells the holder from a later process with its pid. */
  startTime: number;
}

export const lockFile = (stateDir: string): string => join(stateDir, "lock");

export class HostLock implements Disposable {
  readonly #descriptor: number;
  readonly #file: string;

  /** @throws {HostLockedError} naming the holder's pid */
  constructor(stateDir: string) {
    mkdirSync(stateDir, { recursive: true, mode: 0o700 });
    this.#file = lockFile(stateDir);
    this.#descriptor = openSync(this.#file, "a", 0o600);
    if (!tryLock(this.#descriptor)) {
      closeSync(this.#descriptor);
      throw new HostLockedError(this.#file, readLockHolder(stateDir));
    }
    ftruncateSync(this.#descriptor, 0);
    writeSync(this.#descriptor, `${process.pid} ${startTimeOf("/proc", process.pid) ?? 0}\n`);
  }

  /** Whether the lock still keeps others out: a lock file that was removed can be made and locked anew by another. */
  isHeld(): boolean {
    const there = statSync(this.#file, { throwIfNoEntry: false });
    const own = fstatSync(this.#descriptor);
    return there !== undefined && there.ino === own.ino && there.dev === own.dev;
  }

  /** The file stays: removing it would let two processes lock two files of one name. */
  [Symbol.dispose](): void {
    ftruncateSync(this.#descriptor, 0);
    closeSync(this.#descriptor);
  }
}

/** Who wrote itself into the lock file last; whether it still holds the lock is not said. */
export function readLockHolder(stateDir: string): LockHolder | undefined {
  const text = readIfThere(lockFile(stateDir));
  const match = /^(\d+) (\d+)\n$/.exec(text ?? "");
  return match === null ? undefined : { pid: Number(match[1]), startTime: Number(match[2]) };
}

/** Start time of a process in clock ticks after boot, or undefined where it is gone. */
export function startTimeOf(procRoot: string, pid: number, tid = pid): number | undefined {
  const text = readIfThere(join(procRoot, `${pid}/task/${tid}/stat`));
  return text === undefined ? undefined : parseProcStat(text).startTime;
}
