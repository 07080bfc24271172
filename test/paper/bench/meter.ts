/** Reads the kernel's counters of a guest: CPU, run delay, context switches and migrations (perf, as the collector). */
import { PerfGroup } from "@kvm-governor/linux";
import { readFileSync, readdirSync } from "node:fs";

export interface Reading {
  /** Milliseconds of `performance.now()`. */
  atMs: number;
  /** Of the vCPUs, summed. */
  runNs: number;
  delayNs: number;
  switches: number;
  migrations: number;
  /** Of all threads of the QEMU process: also those that move its network packets. */
  processRunNs: number;
}

/** What the kernel gave is not what it documents. */
export class MeterError extends Error {
  override readonly name = "MeterError";
}

const SCRATCH_BYTES = 24;

export class Meter {
  readonly #pid: number;
  readonly #tids: readonly number[];
  readonly #perf: readonly PerfGroup[];
  readonly #scratch = Buffer.alloc(SCRATCH_BYTES);

  /** @throws {SyscallError} {PerfUnavailableError} perf cannot be had: nothing else counts migrations */
  constructor(guest: { pid: number; vcpuTids: readonly number[] }) {
    this.#pid = guest.pid;
    this.#tids = guest.vcpuTids;
    this.#perf = guest.vcpuTids.map((tid) => new PerfGroup(tid));
  }

  read(): Reading {
    const reading = {
      atMs: performance.now(),
      runNs: 0,
      delayNs: 0,
      switches: 0,
      migrations: 0,
      processRunNs: 0,
    };
    for (const tid of this.#tids) {
      const [runNs, delayNs] = schedstat(this.#pid, tid);
      reading.runNs += runNs;
      reading.delayNs += delayNs;
    }
    for (const group of this.#perf) {
      group.read(this.#scratch);
      reading.switches += group.switches;
      reading.migrations += group.migrations;
    }
    for (const tid of readdirSync(`/proc/${this.#pid}/task`))
      reading.processRunNs += runNsOf(this.#pid, Number(tid));
    return reading;
  }

  close(): void {
    for (const group of this.#perf) group.close();
  }
}

/** QEMU's worker threads come and go. */
function runNsOf(pid: number, tid: number): number {
  try {
    return schedstat(pid, tid)[0];
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT" || code === "ESRCH") return 0;
    throw error;
  }
}

/** Nanoseconds on a CPU, and runnable but waiting. */
function schedstat(pid: number, tid: number): [number, number] {
  const text = readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1");
  const [run, delay] = text.split(" ").map(Number);
  if (run === undefined || delay === undefined || !Number.isFinite(run + delay)) {
    throw new MeterError(`schedstat of thread ${tid}: ${JSON.stringify(text)}`);
  }
  return [run, delay];
}

const TICK_NS = 10_000_000;

/** Time that all CPUs together were busy, in nanoseconds, since the boot (/proc/stat, in ticks of 10 ms). */
export function readHostBusyNs(): number {
  const fields = /^cpu +(.*)$/m.exec(readFileSync("/proc/stat", "latin1"))?.[1]?.split(" ").map(Number);
  // user nice system idle iowait irq softirq steal (proc_stat(5)); guest time is part of user's
  const [user = NaN, nice = NaN, system = NaN, , , irq = NaN, softirq = NaN] = fields ?? [];
  const ticks = user + nice + system + irq + softirq;
  if (!Number.isFinite(ticks)) throw new MeterError("/proc/stat: no line for all CPUs");
  return ticks * TICK_NS;
}
