/** Whether perf serves on this host, and how many descriptors there are for it. */
import { PerfGroup, perfProblem } from "../native/perf.ts";
import { processCpuNs } from "../native/libc.ts";
import { readlinkIfThere } from "../proc/read.ts";
import { raiseFileLimit } from "../native/rlimit.ts";
import { SCRATCH_BYTES, type CounterContext } from "./context.ts";
import { DescriptorBudget } from "./descriptors.ts";

export interface HostCounterContext extends CounterContext {
  /** Why perf is not used; undefined: it is. */
  perfProblem: string | undefined;
}

export interface CounterContextOptions {
  procRoot: string;
  /** False: as if perf were refused. */
  perf?: boolean;
  /** Descriptors to keep open at most; by default what RLIMIT_NOFILE leaves. */
  openFilesMax?: number;
}

/**
 * Prepares reading on this host: raises the limit of open files and tries perf on this very thread.
 * @param options.perf false: as if perf were refused
 * @throws {SyscallError} the limit of open files cannot be read
 */
export function openCounterContext(options: CounterContextOptions): HostCounterContext {
  const problem = options.perf === false ? "switched off by configuration" : perfProblem();
  return {
    procRoot: options.procRoot,
    budget:
      options.openFilesMax === undefined
        ? new DescriptorBudget(raiseFileLimit())
        : new DescriptorBudget(options.openFilesMax, 0),
    scratch: Buffer.alloc(SCRATCH_BYTES),
    perfProblem: problem,
    ...(isOwnNamespace(options.procRoot) && { processCpuNs }),
    ...(problem === undefined && { openSwitchGroup: (tid: number) => new PerfGroup(tid) }),
  };
}

/** Whether the ids under `procRoot` are those that we know processes by. */
function isOwnNamespace(procRoot: string): boolean {
  return readlinkIfThere(`${procRoot}/self`) === String(process.pid);
}
