/** Stands in for an actuator that is dead or frozen: ends it, then restores. For whoever stands guard over it. */
import { setTimeout as sleep } from "node:timers/promises";
import { readIfThere } from "../proc/read.ts";
import { parseProcStat } from "../proc/stat.ts";
import { HostLockedError, readLockHolder, startTimeOf, type LockHolder } from "./host-lock.ts";
import { restore, type RestoreOptions, type RestoreReport } from "./restore.ts";

/** The process that holds the host lock did not end. */
export class TakeOverError extends Error {
  override readonly name = "TakeOverError";
}

export interface TakeOverReport extends RestoreReport {
  /** Process that was killed; absent where none held the lock. */
  killed?: number;
}

const END_MS_MAX = 5000;
const POLL_MS = 10;

/**
 * Kills the process named in the lock file (SIGKILL: one that is stopped takes no other signal), waits for its end, restores.
 * A process that only has its pid is left alone.
 * @throws {TakeOverError} it did not end within 5 s (a system call that cannot be interrupted)
 * @throws {HostLockedError} another one took the lock in between
 */
export async function takeOver(options: RestoreOptions): Promise<TakeOverReport> {
  const holder = readLockHolder(options.stateDir);
  const runs = ({ pid, startTime }: LockHolder): boolean =>
    startTimeOf("/proc", pid) === startTime && !isZombie(pid);
  if (holder === undefined) return restore(options);
  const isKilled = runs(holder);
  if (isKilled) process.kill(holder.pid, "SIGKILL");
  for (let waited = 0; ; waited += POLL_MS) {
    if (!runs(holder)) {
      const report = await restoreUnlocked(options, holder);
      if (report !== undefined) return isKilled ? { ...report, killed: holder.pid } : report;
    }
    if (waited >= END_MS_MAX) throw new TakeOverError(`process ${holder.pid} did not end after SIGKILL`);
    await sleep(POLL_MS);
  }
}

/** The first thread of a process may have ended while others still hold its files, and so the lock: undefined then. */
async function restoreUnlocked(
  options: RestoreOptions,
  dead: LockHolder,
): Promise<RestoreReport | undefined> {
  try {
    return await restore(options);
  } catch (error) {
    if (error instanceof HostLockedError && error.holder?.pid === dead.pid) return undefined;
    throw error;
  }
}

/** A zombie stays until its parent, perhaps the guard itself, reaps it. */
function isZombie(pid: number): boolean {
  const text = readIfThere(`/proc/${pid}/stat`);
  return text !== undefined && parseProcStat(text).state === "Z";
}
