/** The real kernel, but for one write that fails: with a chosen errno, or because it asks for what the kernel itself refuses. */
import path from "node:path";
import type { ControlIo, Write } from "@kvm-governor/linux";

/** `kernel`: the value is replaced by one that the kernel refuses. */
export type Fault = "EINVAL" | "EBUSY" | "ENOENT" | "EPERM" | "kernel";

/** Values that no kernel takes. */
const REFUSED: Record<string, string> = {
  "cpu.cfs_quota_us": "500",
  "cpu.cfs_period_us": "10",
  "cpu.cfs_burst_us": "9000000",
  "cpu.shares": "many",
  "cpu.idle": "7",
  // Threads would have no CPU: ENOSPC on v1.
  "cpuset.cpus": "",
};

export class FaultyIo implements ControlIo {
  readonly #io: ControlIo;
  /** Writes since `failAt`. */
  writes = 0;
  /** Called after every write, also one that failed. */
  afterWrite: () => void = () => undefined;
  #fault: Fault | undefined;
  #at = 0;

  constructor(io: ControlIo) {
    this.#io = io;
  }

  /** Fails the write with this number, counted from now; without a fault, none. */
  failAt(fault: Fault | undefined, at = 0): void {
    this.#fault = fault;
    this.#at = at;
    this.writes = 0;
  }

  async write(write: Write): Promise<void> {
    const fault = this.writes++ === this.#at ? this.#fault : undefined;
    try {
      if (fault === undefined) await this.#io.write(write);
      else if (fault !== "kernel") throw Object.assign(new Error(`${fault}: injected`), { code: fault });
      else if (write.op === "affinity") await this.#io.write({ ...write, cpus: [4095] });
      else await this.#io.write({ ...write, text: REFUSED[path.basename(write.key)] ?? "" });
    } finally {
      this.afterWrite();
    }
  }

  read(key: string): string | undefined {
    return this.#io.read(key);
  }
  matches(key: string, expected: Buffer): boolean {
    return this.#io.matches(key, expected);
  }
  forget(dirs: readonly string[]): void {
    this.#io.forget(dirs);
  }
  close(): void {
    this.#io.close();
  }
}
