/**
 * Waits that the kernel has not booked yet. It adds to a thread's run delay only when the thread next gets a CPU (kernel:
 * sched_info_arrive). So a wait across the end of a period counts in the next one, and a thread that got no CPU for a
 * whole period, as in a `cpu.idle` group on a crowded CPU, shows run 0 and delay 0, exactly as one that sleeps.
 *
 * A thread that is runnable at both ends of a period and did not give up its CPU in between (no voluntary switch) never
 * slept: what it did not run, it waited.
 */
import type { CounterContext } from "./context.ts";
import { KernelFile, KernelFileError } from "./kernel-file.ts";
import { readStatusSwitches } from "./thread-status.ts";

const STATE = Buffer.from("\nState:\t");
const RUNNABLE = 0x52;

/** What a period can miss by the clocks alone; not worth a look, which is dear. */
const MISSING_MIN = 0.02;
/** Who ran and waited for less than this part of a period, but at all, sleeps most of the time: nor is that. */
const BUSY_MIN = 0.2;
/** One that was asleep and has not moved since is looked at again only every so many periods. */
const ASLEEP_PERIODS = 4;

interface Status {
  voluntary: number;
  isRunnable: boolean;
}

export class UnbookedWait {
  readonly #file: KernelFile;
  readonly #context: CounterContext;
  /** As of the last reading; undefined: there was no need to look then. */
  #status: Status | undefined;
  /** Waits told before the kernel booked them, in nanoseconds. */
  #toldNs = 0;
  #lastReadNs: number | undefined;
  #asleepPeriods = 0;
  /** In this period, in nanoseconds: to be added to what the kernel booked; negative where it was told before. */
  correctionNs = 0;

  constructor(pid: number, tid: number, context: CounterContext) {
    this.#file = new KernelFile(`${context.procRoot}/${pid}/task/${tid}/status`, context.budget);
    this.#context = context;
  }

  /**
   * After each reading of run and delay.
   * @param ranNs ran since the last reading
   * @param bookedNs delay that the kernel booked since the last reading
   * @param isCrowded whether anybody on this host waited for a CPU meanwhile
   * @throws Error of the file: the thread is gone, or cannot be read
   */
  update(ranNs: number, bookedNs: number, nowNs: number, isCrowded: boolean): void {
    const elapsedNs = this.#lastReadNs === undefined ? 0 : nowNs - this.#lastReadNs;
    this.#lastReadNs = nowNs;
    const before = this.#status;
    const isMissing = elapsedNs - ranNs - bookedNs > MISSING_MIN * elapsedNs;
    const mayWait = isCrowded && elapsedNs > 0 && isMissing && this.#isSuspect(ranNs, bookedNs, elapsedNs);
    this.#status = this.#toldNs > 0 || mayWait ? this.#read() : undefined;
    if (neverSlept(before, this.#status)) {
      const unbookedNs = Math.max(0, elapsedNs - ranNs) - bookedNs;
      this.correctionNs += unbookedNs;
      this.#toldNs = Math.max(0, this.#toldNs + unbookedNs);
    } else {
      // It ran before it slept, so that all its waits are booked by now.
      this.correctionNs -= Math.min(this.#toldNs, bookedNs);
      this.#toldNs = 0;
    }
  }

  #isSuspect(ranNs: number, bookedNs: number, elapsedNs: number): boolean {
    const isStill = ranNs === 0 && bookedNs === 0;
    if (!isStill) {
      this.#asleepPeriods = 0;
      return bookedNs > 0 && ranNs + bookedNs >= BUSY_MIN * elapsedNs;
    }
    if (this.#status?.isRunnable === false) this.#asleepPeriods = ASLEEP_PERIODS;
    return --this.#asleepPeriods <= 0;
  }

  /** A tick has taken the correction. */
  mark(): void {
    this.correctionNs = 0;
  }

  close(): void {
    this.#file.close();
  }

  #read(): Status {
    const { scratch } = this.#context;
    const length = this.#file.read(scratch);
    const counts = { voluntary: 0, involuntary: 0 };
    const state = scratch.subarray(0, length).indexOf(STATE);
    if (state < 0 || !readStatusSwitches(scratch, length, counts)) {
      throw new KernelFileError(this.#file.path, "no state, or no lines of context switches");
    }
    return { voluntary: counts.voluntary, isRunnable: scratch[state + STATE.length] === RUNNABLE };
  }
}

function neverSlept(before: Status | undefined, now: Status | undefined): boolean {
  if (before === undefined || now === undefined) return false;
  return before.isRunnable && now.isRunnable && before.voluntary === now.voluntary;
}
