/**
 * Records when a guest's vCPUs are switched and woken, with the kernel's own tracing, in an instance of its own: what others trace on this
 * machine is left alone (Documentation/trace/ftrace.rst, "Instances").
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Together, timelineOf } from "./timeline.ts";

/** Scheduling events cannot be recorded on this machine, or some were lost. */
export class SchedTraceError extends Error {
  override readonly name = "SchedTraceError";
}

/** Of each CPU: some minutes of a few thousand events a second. */
const BUFFER_KIB = 48 << 10;
const USUAL_PLACE = "/sys/kernel/tracing";
const EVENTS = ["sched_switch", "sched_waking"] as const;

export class SchedTrace {
  readonly #dir: string;
  /** Mount of our own, where nobody had mounted tracefs. */
  readonly #mount: string | undefined;

  /** @throws {SchedTraceError} no tracing for us here: not root, a kernel without it, or one that is locked down */
  constructor() {
    let root = USUAL_PLACE;
    if (!existsSync(path.join(root, "instances"))) {
      root = this.#mount = mkdtempSync(path.join(tmpdir(), "kvmgov-tracefs-"));
      try {
        execFileSync("mount", ["-t", "tracefs", "none", root], { stdio: ["ignore", "ignore", "pipe"] });
      } catch (cause) {
        rmdirSync(root);
        throw new SchedTraceError(`tracefs cannot be mounted: ${(cause as Error).message}`, { cause });
      }
    }
    this.#dir = path.join(root, "instances", `kvmgov-${process.pid}`);
    try {
      mkdirSync(this.#dir);
      this.#write("trace_clock", "mono");
      this.#write("buffer_size_kb", String(BUFFER_KIB));
    } catch (cause) {
      this.close();
      throw new SchedTraceError(`the kernel cannot be traced: ${(cause as Error).message}`, { cause });
    }
  }

  start(tids: readonly number[]): void {
    const any = (field: string): string => tids.map((tid) => `${field}==${tid}`).join("||");
    this.#write("trace", "");
    this.#write("events/sched/sched_switch/filter", `${any("prev_pid")}||${any("next_pid")}`);
    this.#write("events/sched/sched_waking/filter", any("pid"));
    for (const event of EVENTS) this.#write(`events/sched/${event}/enable`, "1");
  }

  /**
   * Ends what {@link start} began.
   * @throws {SchedTraceError} the buffer was too small for all of it
   */
  stop(tids: readonly number[], span: { fromMs: number; toMs: number }): Together {
    for (const event of EVENTS) this.#write(`events/sched/${event}/enable`, "0");
    const text = readFileSync(path.join(this.#dir, "trace"), "latin1");
    const [, kept, all] = /entries-in-buffer\/entries-written: (\d+)\/(\d+)/.exec(text) ?? [];
    if (kept === undefined || kept !== all) throw new SchedTraceError(`of ${all} events ${kept} were kept`);
    this.#write("trace", "");
    return timelineOf(text, tids, { fromUs: span.fromMs * 1000, toUs: span.toMs * 1000 });
  }

  close(): void {
    if (existsSync(this.#dir)) rmdirSync(this.#dir);
    if (this.#mount === undefined) return;
    execFileSync("umount", [this.#mount], { stdio: ["ignore", "ignore", "pipe"] });
    rmdirSync(this.#mount);
  }

  #write(name: string, text: string): void {
    writeFileSync(path.join(this.#dir, name), text);
  }
}

/** Milliseconds of the trace's clock (CLOCK_MONOTONIC). */
export const traceNowMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;
