/** Run of a set of threads that come and go: emulator threads, workers, vhost. */
import { isVanished } from "../proc/read.ts";
import type { CounterContext } from "./context.ts";
import { ThreadTimes } from "./thread-times.ts";
import { Total } from "./total.ts";

export class ThreadSet {
  /** Includes what threads used that are gone since, up to their last read. */
  readonly runNs: Pick<Total, "value" | "since" | "mark">;
  readonly #sum = new Total();
  readonly #context: CounterContext;
  readonly #threads = new Map<number, ThreadTimes>();
  #total = 0;

  constructor(context: CounterContext) {
    this.#context = context;
    this.runNs = this.#sum;
  }

  /** The threads there are now. New ones count from their beginning. */
  follow(pid: number, tids: readonly number[]): void {
    const wanted = new Set(tids);
    for (const [tid, thread] of this.#threads) if (!wanted.has(tid)) this.#drop(tid, thread);
    for (const tid of wanted) {
      if (!this.#threads.has(tid)) this.#threads.set(tid, new ThreadTimes(pid, tid, this.#context));
    }
  }

  /** Threads that have ended are left out; the process decides whether the guest is gone. */
  read(): void {
    for (const [tid, thread] of this.#threads) {
      const before = thread.runNs;
      try {
        thread.read(this.#context.scratch);
      } catch (error) {
        if (!isVanished(error)) throw error;
        this.#drop(tid, thread);
        continue;
      }
      this.#total += Math.max(0, thread.runNs - before);
    }
    this.#sum.feed(this.#total);
  }

  close(): void {
    for (const [tid, thread] of this.#threads) this.#drop(tid, thread);
  }

  #drop(tid: number, thread: ThreadTimes): void {
    thread.close();
    this.#threads.delete(tid);
  }
}
