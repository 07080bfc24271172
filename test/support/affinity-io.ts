/** A kernel without control groups, in memory: the affinities of threads alone. */
import { affinityTid, type ControlIo, type Write } from "@kvm-governor/linux";
import { formatCpuList } from "@kvm-governor/policy";

const CPUS = [0, 1];

export class AffinityIo implements ControlIo {
  /** CPUs that a thread asked for; one that did not has all. */
  readonly #asked = new Map<number, readonly number[]>();
  /** Affinities are told without the others. */
  online: readonly number[] = CPUS;
  /** Writes that were made. */
  readonly written: Write[] = [];
  /** Directories that were forgotten. */
  readonly forgotten: string[] = [];
  /** Called before each write; what it throws is the kernel's refusal. */
  beforeWrite: (write: Write) => void = () => undefined;

  /** CPU list of a thread. */
  affinity(tid: number): string {
    return formatCpuList((this.#asked.get(tid) ?? CPUS).filter((cpu) => this.online.includes(cpu)));
  }

  read(key: string): string | undefined {
    const tid = affinityTid(key);
    return tid === undefined ? undefined : this.affinity(tid);
  }

  matches(key: string, expected: Buffer): boolean {
    return this.read(key) === expected.toString("utf8");
  }

  write(write: Write): void {
    this.beforeWrite(write);
    if (write.op === "affinity") this.#asked.set(write.tid, write.cpus);
    this.written.push(write);
  }

  forget(dirs: readonly string[]): void {
    this.forgotten.push(...dirs);
  }

  close(): void {
    this.#asked.clear();
  }
}
