/**
 * How slow an emulated host is beside other work on the machine: time limits stretch by it. A limit is then over because something
 * hangs, not because the machine is busy or old.
 */
import { availableParallelism, loadavg } from "node:os";

/** What a Node that does nothing takes to start and end on a host on a quiet machine with 2 CPUs, in milliseconds (2026-11-20). */
const QUIET_START_MS = 2000;
/** The middle one counts: the first reads from the disk, one in a few waits for something of systemd's. */
const STARTS = 3;

/**
 * Measures it: starting a program and parsing scripts is what services and cases mostly wait for there.
 * @param start starts a Node that does nothing, and waits for its end
 * @returns 1 for a quiet machine, 2 where everything takes twice as long; never below 1
 */
export async function measureSlowness(start: () => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let count = 0; count < STARTS; count++) {
    const startedMs = performance.now();
    await start();
    times.push(performance.now() - startedMs);
  }
  return slownessOf(times);
}

/** @param timesMs of each start, in milliseconds */
export function slownessOf(timesMs: readonly number[]): number {
  const middle = timesMs.toSorted((a, b) => a - b)[timesMs.length >> 1] ?? QUIET_START_MS;
  return Math.max(1, middle / QUIET_START_MS);
}

/** A guess, for a host that is not up yet and for work that came since: those who want to run, for each CPU of this machine. */
export function expectedSlowness([lastMinute = 0] = loadavg(), cpus = availableParallelism()): number {
  return Math.max(1, lastMinute / cpus);
}
