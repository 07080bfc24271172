/** CPU time and memory of processes, as the kernel books them. */
import { readFileSync } from "node:fs";
import { processCpuNs } from "@kvm-governor/linux";

/** CPU time of processes together, in milliseconds: of threads that ended, too. /proc/PID/stat has it in steps of 10. */
export function cpuOf(pids: readonly number[]): number {
  return pids.reduce((sum, pid) => sum + (processCpuNs(pid) ?? NaN), 0) / 1e6;
}

/** Resident memory in MB: what a process shares with others counts for each. */
export function residentMbOf(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kb) / 1000;
}

/** Memory that could be had without swapping, in MB. */
export function availableMb(): number {
  const kb = /^MemAvailable:\s+(\d+) kB$/m.exec(readFileSync("/proc/meminfo", "latin1"))?.[1];
  return Number(kb) / 1000;
}
