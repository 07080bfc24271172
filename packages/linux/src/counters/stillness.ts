/**
 * Whether all threads of a process stood still since the last look: its CPU clock did. Then none of them has got a CPU, and the kernel
 * has booked neither run nor delay for any (kernel: sched_info_arrive): one call in place of a read a thread. Asked only about a process
 * that did nothing in the last period; others are read anyway.
 */
import type { CounterContext } from "./context.ts";

export class Stillness {
  readonly #processCpuNs: CounterContext["processCpuNs"];
  /** Undefined: there is nothing to compare with. */
  #cpuNs: number | undefined;
  #pid: number | undefined;
  #wasBusy = true;

  constructor({ processCpuNs }: Pick<CounterContext, "processCpuNs">) {
    this.#processCpuNs = processCpuNs;
  }

  /** Before threads are read; where the answer is true they need not be. */
  isStill(pid: number): boolean {
    if (this.#processCpuNs === undefined || this.#wasBusy) return false;
    const before = pid === this.#pid ? this.#cpuNs : undefined;
    this.#pid = pid;
    // Taken before the threads are read: what runs in between is seen the next time.
    this.#cpuNs = this.#processCpuNs(pid);
    return before !== undefined && this.#cpuNs === before;
  }

  /** After threads were read. */
  note(isBusy: boolean): void {
    this.#wasBusy = isBusy;
    if (isBusy) this.#cpuNs = undefined;
  }

  /** Other threads are counted from now on: they have to be read. */
  forget(): void {
    this.note(true);
  }
}

/**
 * The same of the threads of a guest that are no vCPUs, while its vCPUs run: the process's clock moved by exactly what these did. The kernel
 * adds the clock up from the very numbers that it shows of each thread (thread_group_cputime), so that one call stands for a read of each.
 */
export class OthersStillness {
  readonly #processCpuNs: CounterContext["processCpuNs"];
  /** What all other threads ran since the process began; undefined: there is nothing to compare with. */
  #ranNs: number | undefined;
  #wereBusy = true;

  constructor({ processCpuNs }: Pick<CounterContext, "processCpuNs">) {
    this.#processCpuNs = processCpuNs;
  }

  /**
   * After the vCPUs were read, before the others are; where the answer is true they need not be. Asked of the kernel only where they did nothing
   * when they were read last.
   * @param vcpusRanNs of all vCPUs together, since any moment that stays the same until `forget`
   */
  areStill(pid: number, vcpusRanNs: number): boolean {
    if (this.#processCpuNs === undefined || this.#wereBusy) return false;
    const before = this.#ranNs;
    const now = this.#processCpuNs(pid);
    this.#ranNs = now === undefined ? undefined : now - vcpusRanNs;
    return before !== undefined && this.#ranNs === before;
  }

  /** After the other threads were read. */
  note(haveRun: boolean): void {
    this.#wereBusy = haveRun;
    if (haveRun) this.#ranNs = undefined;
  }

  /** Other threads are counted from now on. */
  forget(): void {
    this.note(true);
  }
}
