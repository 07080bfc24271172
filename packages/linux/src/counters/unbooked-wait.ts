/**
 * Waits that the kernel has not booked yet. It adds to a thread's run delay only when the thread next gets a CPU (kernel:
 * sched_info_arrive): one that got none for a whole period, as in a `cpu.idle` group on a crowded CPU, shows run 0 and
 * delay 0, exactly as one that sleeps. Only its state tells them apart.
 */
import type { CounterContext } from "./context.ts";
import { KernelFile, KernelFileError } from "./kernel-file.ts";

const CLOSING_PARENTHESIS = 0x29;
const RUNNABLE = 0x52;

export class UnbookedWait {
  readonly #path: string;
  readonly #context: CounterContext;
  #file: KernelFile | undefined;
  /** Waited since the thread last ran, as told before the kernel did, in nanoseconds. */
  #toldNs = 0;
  #lastReadNs: number | undefined;
  /** In this period, in nanoseconds: to be added to what the kernel booked; negative where it was told before. */
  correctionNs = 0;

  constructor(pid: number, tid: number, context: CounterContext) {
    this.#path = `${context.procRoot}/${pid}/task/${tid}/stat`;
    this.#context = context;
  }

  /**
   * After each reading of run and delay.
   * @param stoodStill neither ran, nor waited, nor was given a CPU since the last reading, as the kernel counts
   * @param bookedNs delay that the kernel booked since the last reading
   * @throws Error of the file: the thread is gone, or cannot be read
   */
  update(stoodStill: boolean, bookedNs: number, nowNs: number): void {
    const elapsedNs = this.#lastReadNs === undefined ? 0 : nowNs - this.#lastReadNs;
    this.#lastReadNs = nowNs;
    if (!stoodStill) {
      this.correctionNs -= Math.min(this.#toldNs, bookedNs);
      this.#toldNs = 0;
    } else if (elapsedNs > 0 && this.#isRunnable()) {
      this.#toldNs += elapsedNs;
      this.correctionNs += elapsedNs;
    }
  }

  /** A tick has taken the correction. */
  mark(): void {
    this.correctionNs = 0;
  }

  close(): void {
    this.#file?.close();
    this.#file = undefined;
  }

  #isRunnable(): boolean {
    this.#file ??= new KernelFile(this.#path, this.#context.budget);
    const { scratch } = this.#context;
    const length = this.#file.read(scratch);
    // The name stands before it in parentheses, and may hold some itself.
    const end = scratch.subarray(0, length).lastIndexOf(CLOSING_PARENTHESIS);
    if (end < 0 || end + 2 >= length) throw new KernelFileError(this.#path, "no state after the name");
    return scratch[end + 2] === RUNNABLE;
  }
}
