/** The QEMU processes of the host, kept up to date. */
import { errorCode } from "../proc/read.ts";
import { ProcParseError } from "../proc/stat.ts";
import { ProcessScanner } from "./process-scanner.ts";
import { QemuProcess } from "./qemu-process.ts";
import { TaskActivity } from "./task-activity.ts";

export class ProcessTable {
  readonly #procRoot: string;
  readonly #scanner: ProcessScanner;
  readonly #activity: TaskActivity;
  readonly #processes = new Map<number, QemuProcess>();
  readonly #failures = new Map<number, string>();

  constructor(procRoot: string) {
    this.#procRoot = procRoot;
    this.#scanner = new ProcessScanner(procRoot);
    this.#activity = new TaskActivity(procRoot);
  }

  get processes(): ReadonlyMap<number, QemuProcess> {
    return this.#processes;
  }

  /** Processes that could not be looked at in the last refresh, with the reason; each refresh tries again. */
  get failures(): ReadonlyMap<number, string> {
    return this.#failures;
  }

  /**
   * @param nowUs CLOCK_BOOTTIME
   * @returns processes that are new or gone, whose threads or state changed, or that failed
   */
  refresh(nowUs: number): Set<number> {
    const touched = new Set<number>();
    this.#failures.clear();
    const activity = this.#activity.look();
    const { fresh, grown } = this.#scanner.scan(this.#processes, nowUs, activity);
    for (const pid of fresh) this.#open(pid);
    for (const [pid, process] of this.#processes) {
      this.#guarded(pid, () => {
        const mayHaveGrown = grown === undefined || grown.has(pid);
        const look = process.look(nowUs, { mayHaveGrown, mayHaveShrunk: activity !== "none" });
        if (look !== "same") touched.add(pid);
        if (look === "gone") this.#forget(process);
      });
    }
    for (const pid of this.#failures.keys()) touched.add(pid);
    return touched;
  }

  /** Takes in a process that libvirt says is the guest of this UUID, though its program has another name. */
  adopt(pid: number, uuid: string, nowUs: number): QemuProcess | undefined {
    const process = this.#open(pid);
    if (process === undefined) return undefined;
    if (process.commandLine.uuid === uuid && process.look(nowUs) !== "gone") return process;
    this.#forget(process);
    return undefined;
  }

  close(): void {
    this.#activity.close();
    for (const process of this.#processes.values()) this.#forget(process);
  }

  #open(pid: number): QemuProcess | undefined {
    return this.#guarded(pid, () => {
      const process = QemuProcess.open(this.#procRoot, pid);
      if (process !== undefined) this.#processes.set(pid, process);
      return process;
    });
  }

  #forget(process: QemuProcess): void {
    process.close();
    this.#processes.delete(process.pid);
  }

  /** One process that cannot be read (no rights, no descriptors left, garbage) never stops the others. */
  #guarded<T>(pid: number, look: () => T): T | undefined {
    try {
      return look();
    } catch (error) {
      if (!(error instanceof ProcParseError) && errorCode(error) === undefined) throw error;
      this.#failures.set(pid, (error as Error).message);
      return undefined;
    }
  }
}
