/** Context switches of one thread: by perf, or, where that is refused, by the sums of /proc/TID/status. */
import { PERF_DESCRIPTORS } from "../native/perf.ts";
import type { CounterContext, SwitchGroup } from "./context.ts";
import type { DescriptorBudget } from "./descriptors.ts";
import { errorCode } from "../proc/read.ts";
import { KernelFile, KernelFileError } from "./kernel-file.ts";
import { readStatusSwitches, type SwitchCounts } from "./thread-status.ts";

/** Where the number of switches comes from. */
export type SwitchSource = "perf" | "status";

/** A thread that switches while two counters are read: tried again this often to see both at the same moment. */
const SAME_MOMENT_ATTEMPTS = 3;

export class ThreadSwitches implements SwitchCounts {
  readonly source: SwitchSource;
  /** Since the thread began. */
  switches = 0;
  /** Since the counter was opened; absent without perf. */
  migrations: number | undefined;
  /** Since the thread began, as of the last `readSplit`. */
  voluntary = 0;
  involuntary = 0;
  readonly #group: SwitchGroup | undefined;
  readonly #status: KernelFile;
  readonly #budget: DescriptorBudget;
  /** Switches before the perf counter was opened. */
  #before = 0;
  #splitAt = -1;

  /** @throws Error with `code` ESRCH: the thread is gone */
  constructor(pid: number, tid: number, context: CounterContext) {
    this.#budget = context.budget;
    this.#group = openGroup(tid, context);
    this.source = this.#group === undefined ? "status" : "perf";
    this.#status = new KernelFile(`${context.procRoot}/${pid}/task/${tid}/status`, context.budget);
    if (this.#group !== undefined) this.#countFromBeginning(this.#group, context.scratch);
  }

  /** Reads what a tick needs. @throws Error with `code` ENOENT or ESRCH: the thread is gone */
  read(scratch: Buffer): void {
    if (this.#group === undefined) {
      this.#readStatus(scratch);
      this.switches = this.voluntary + this.involuntary;
      return;
    }
    this.#group.read(scratch);
    this.switches = this.#before + this.#group.switches;
    this.migrations = this.#group.migrations;
  }

  /** Whether the thread has switched since `readSplit`. Without perf every tick reads the split anyway. */
  get isSplitDue(): boolean {
    return this.#group !== undefined && this.#splitAt !== this.switches;
  }

  /** Reads what a scrape needs on top. @throws Error with `code` ENOENT or ESRCH: the thread is gone */
  readSplit(scratch: Buffer): void {
    const counted = this.switches;
    this.#readStatus(scratch);
    this.#splitAt = counted;
  }

  close(): void {
    this.#status.close();
    if (this.#group === undefined) return;
    this.#group.close();
    this.#budget.giveBack(PERF_DESCRIPTORS);
  }

  /** The perf counter begins at 0, status has counted since the thread began: so both give the same total. */
  #countFromBeginning(group: SwitchGroup, scratch: Buffer): void {
    try {
      for (let attempt = 0; attempt < SAME_MOMENT_ATTEMPTS; attempt++) {
        group.read(scratch);
        const counted = group.switches;
        this.#readStatus(scratch);
        this.#before = this.voluntary + this.involuntary - counted;
        group.read(scratch);
        if (group.switches === counted) return;
      }
    } catch (error) {
      this.close();
      throw error;
    }
  }

  #readStatus(scratch: Buffer): void {
    const length = this.#status.read(scratch);
    if (!readStatusSwitches(scratch, length, this)) {
      throw new KernelFileError(this.#status.path, "no lines of context switches");
    }
  }
}

/** Refused for this thread, though it counts our own: then status serves. ESRCH is not among them. */
const REFUSED = new Set(["EACCES", "EPERM", "EMFILE", "ENFILE", "ENOMEM"]);

function openGroup(tid: number, { budget, openSwitchGroup }: CounterContext): SwitchGroup | undefined {
  if (openSwitchGroup === undefined || !budget.take(PERF_DESCRIPTORS)) return undefined;
  try {
    return openSwitchGroup(tid);
  } catch (error) {
    budget.giveBack(PERF_DESCRIPTORS);
    if (REFUSED.has(errorCode(error) ?? "")) return undefined;
    throw error;
  }
}
