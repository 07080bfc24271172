/** What all counters of one sampler share. */
import type { DescriptorBudget } from "./descriptors.ts";

/** A perf group, or what stands in for one in tests. */
export interface SwitchGroup {
  readonly switches: number;
  readonly migrations: number;
  read(scratch: Buffer): void;
  close(): void;
}

export interface CounterContext {
  procRoot: string;
  budget: DescriptorBudget;
  /** Overwritten by each read; nothing is kept in it. */
  scratch: Buffer;
  /** Opens the counters of a thread; absent where perf is refused on this host. */
  openSwitchGroup?: (tid: number) => SwitchGroup;
  /** CPU time of a process, in nanoseconds; undefined: it is gone. Absent where its id is not known by us. */
  processCpuNs?: (pid: number) => number | undefined;
}

/** Room for /proc/TID/status with the masks of 8,192 CPUs. */
export const SCRATCH_BYTES = 16 * 1024;
