/** Run and delay of one thread (/proc/TID/schedstat; kernel: sched-stats). */
import type { CounterContext } from "./context.ts";
import { readNumbers } from "./digits.ts";
import { KernelFile, KernelFileError } from "./kernel-file.ts";

const RUN = 0;
const DELAY = 1;
const FIELDS = 3;
const fields = new Float64Array(FIELDS);

export class ThreadTimes {
  readonly tid: number;
  /** Time on a CPU since the thread began, in nanoseconds. The kernel brings it up to date at each of its own ticks. */
  runNs = 0;
  /** Time runnable but waiting since the thread began, throttled time included, in nanoseconds. */
  delayNs = 0;
  readonly #file: KernelFile;

  constructor(pid: number, tid: number, { procRoot, budget }: CounterContext) {
    this.tid = tid;
    this.#file = new KernelFile(`${procRoot}/${pid}/task/${tid}/schedstat`, budget);
  }

  /** @throws Error with `code` ENOENT or ESRCH: the thread is gone; {KernelFileError} not three numbers */
  read(scratch: Buffer): void {
    const length = this.#file.read(scratch);
    if (readNumbers(scratch, length, fields) < FIELDS) {
      const text = scratch.toString("latin1", 0, Math.min(length, 80));
      throw new KernelFileError(this.#file.path, `expected three numbers, found ${JSON.stringify(text)}`);
    }
    this.runNs = fields[RUN] as number;
    this.delayNs = fields[DELAY] as number;
  }

  close(): void {
    this.#file.close();
  }
}
