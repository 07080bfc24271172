/** The kernel's account of threads, read directly: what the tests hold our own figures against. */
import { readFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";

export interface CpuShare {
  /** Part of the time that the thread ran. */
  usage: number;
  /** Part of the time that it ran or waited to run: what it wanted, whoever else wanted CPUs. */
  demand: number;
}

/** Shares of one window of `ms` for each thread. Throws when a thread is gone. */
export async function cpuShares(tids: readonly number[], ms: number): Promise<CpuShare[]> {
  const before = tids.map(schedstat);
  const started = process.hrtime.bigint();
  await sleep(ms);
  const after = tids.map(schedstat);
  const wallNs = Number(process.hrtime.bigint() - started);
  return after.map((now, i) => {
    const then = before[i] ?? now;
    const usage = (now.runNs - then.runNs) / wallNs;
    return { usage, demand: usage + (now.waitNs - then.waitNs) / wallNs };
  });
}

/** The share of one thread. */
export async function cpuShare(tid: number, ms: number): Promise<CpuShare> {
  const [share] = await cpuShares([tid], ms);
  if (share === undefined) throw new Error(`no thread ${tid}`);
  return share;
}

/** Shares of `count` windows of `ms`, one after the other. */
export async function cpuWindows(tid: number, ms: number, count: number): Promise<CpuShare[]> {
  const windows: CpuShare[] = [];
  for (let i = 0; i < count; i++) windows.push(await cpuShare(tid, ms));
  return windows;
}

function schedstat(tid: number): { runNs: number; waitNs: number } {
  const [runNs = NaN, waitNs = NaN] = readFileSync(`/proc/${tid}/schedstat`, "utf8").split(" ").map(Number);
  return { runNs, waitNs };
}
