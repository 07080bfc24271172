/** A process with a few sleeping threads, light enough for hundreds of them: stands in for a VMM where only threads and groups matter. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync } from "node:fs";

export interface Vmm {
  pid: number;
  /** All its threads; the one with the number of the process is the main one. */
  tids: readonly number[];
  stop(): Promise<void>;
}

/** Ends with its standard input. Perl is part of every Debian, and its threads are the kernel's. */
const SCRIPT = `use threads; $| = 1; threads->create(sub { sleep 100000 while 1 }) for 1..$ARGV[0]; print "ready\\n"; <STDIN>; kill 9, $$;`;

/** @throws {Error} perl, or its threads, are not there; its standard error is the caller's */
export async function startVmm(threads: number): Promise<Vmm> {
  const child = spawn("perl", ["-e", SCRIPT, String(threads)], { stdio: ["pipe", "pipe", "inherit"] });
  const ended = once(child, "exit");
  const isReady = await Promise.race([once(child.stdout, "data").then(() => true), ended.then(() => false)]);
  if (!isReady || child.pid === undefined) throw new Error("perl with threads did not start");
  const { pid } = child;
  return {
    pid,
    tids: readdirSync(`/proc/${pid}/task`).map(Number),
    stop: async () => {
      child.stdin.end();
      await ended;
    },
  };
}
