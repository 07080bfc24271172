/** CPU time of the host, from /proc/stat (proc_stat(5)). */
import { ProcParseError } from "../proc/stat.ts";

/** Times of one CPU since boot, in clock ticks (`USER_HZ`, 10 ms). */
export interface CpuTimes {
  cpu: number;
  /** user, nice, system, irq and softirq; time in guests is in user and nice. */
  busy: number;
  /** idle and iowait. iowait goes back at times (proc_stat(5)). */
  idle: number;
  /** Wanted by this machine and taken by a hypervisor below it. */
  steal: number;
}

const LINE = /^cpu(\d+) (.*)$/gm;

/**
 * Parses the lines of single CPUs; offline CPUs have none.
 * @param text the file, or its beginning as far as the `intr` line
 * @throws {ProcParseError}
 */
export function parseCpuTimes(text: string): CpuTimes[] {
  const times: CpuTimes[] = [];
  for (const [, cpu, rest] of text.matchAll(LINE)) {
    const fields = (rest ?? "").split(" ").map(Number);
    const [user, nice, system, idle, iowait = 0, irq = 0, softirq = 0, steal = 0] = fields;
    if (user === undefined || nice === undefined || system === undefined || idle === undefined) {
      throw new ProcParseError("/proc/stat", `line of cpu${cpu} is cut short`);
    }
    const each = {
      cpu: Number(cpu),
      busy: user + nice + system + irq + softirq,
      idle: idle + iowait,
      steal,
    };
    if (!Number.isFinite(each.busy + each.idle + each.steal)) {
      throw new ProcParseError("/proc/stat", `line of cpu${cpu} holds what is no number`);
    }
    times.push(each);
  }
  if (times.length === 0) throw new ProcParseError("/proc/stat", "names no CPU");
  return times;
}

/** Use of a set of CPUs between two readings, in cores; together they are the number of CPUs that both readings know. */
export interface CoresUsed {
  busy: number;
  idle: number;
  steal: number;
}

/**
 * Each CPU's times as parts of what passed on it, summed up. Parts, not seconds: ticks are counted at another moment
 * than any clock is read. A CPU whose times went back, or that did not tick, counts as idle.
 * @param cpus which CPUs; those in only one of the readings (on- or offlined between) are left out
 */
export function coresUsed(
  before: readonly CpuTimes[],
  after: readonly CpuTimes[],
  cpus: readonly number[],
): CoresUsed {
  const earlier = new Map(before.map((each) => [each.cpu, each]));
  const wanted = new Set(cpus);
  const used: CoresUsed = { busy: 0, idle: 0, steal: 0 };
  for (const now of after) {
    const then = earlier.get(now.cpu);
    if (then === undefined || !wanted.has(now.cpu)) continue;
    const busy = Math.max(0, now.busy - then.busy);
    const steal = Math.max(0, now.steal - then.steal);
    const total = busy + steal + Math.max(0, now.idle - then.idle);
    used.busy += total === 0 ? 0 : busy / total;
    used.steal += total === 0 ? 0 : steal / total;
    used.idle += total === 0 ? 1 : 1 - (busy + steal) / total;
  }
  return used;
}
