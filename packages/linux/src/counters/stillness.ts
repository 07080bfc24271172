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
