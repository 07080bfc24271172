/** Starts processes with very many light threads (see thread-farm-child.ts), also such as pass for QEMU. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { copyFileSync, linkSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const CHILD = fileURLToPath(new URL("thread-farm-child.ts", import.meta.url));

export interface ThreadFarmOptions {
  threads: number;
  /** Each thread wakes once in this time. */
  wakeMs: number;
  /** So many of the threads are named as vCPUs. */
  vcpus?: number;
  /** Program to run as, by default Node; see `fakeQemu`. */
  program?: string;
  /** More arguments, for who reads /proc/PID/cmdline. */
  args?: readonly string[];
}

export interface ThreadFarm {
  pid: number;
  /** Threads that sleep and wake, vCPUs first; the process has some more of its own. */
  tids: readonly number[];
  stop(): Promise<void>;
}

/** @throws {Error} the process ended before its threads were there; its standard error is the caller's */
export async function startThreadFarm(options: ThreadFarmOptions): Promise<ThreadFarm> {
  const { threads, wakeMs, vcpus = 0, program = process.execPath, args = [] } = options;
  const child = spawn(program, [CHILD, String(threads), String(wakeMs), String(vcpus), ...args], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const { pid, tids } = JSON.parse(await firstLine(child)) as { pid: number; tids: number[] };
  return {
    pid,
    tids,
    stop: async () => {
      child.stdin?.end();
      if (child.exitCode === null && child.signalCode === null) await once(child, "exit");
    },
  };
}

/** Node under a name that QEMU has, so that discovery takes its processes for guests. */
export function fakeQemu(): { program: string; remove: () => void } {
  const dir = mkdtempSync(join(tmpdir(), "kvmgov-bench-"));
  const program = join(dir, "qemu-kvm");
  try {
    linkSync(process.execPath, program);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EXDEV") throw error;
    copyFileSync(process.execPath, program);
  }
  return { program, remove: () => rmSync(dir, { recursive: true }) };
}

async function firstLine(child: ChildProcess): Promise<string> {
  if (child.stdout === null) throw new Error("the thread farm has no standard output");
  for await (const line of createInterface({ input: child.stdout })) return line;
  throw new Error("the thread farm ended before its threads were there");
}
