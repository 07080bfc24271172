/** Child processes that never outlive their parent. */
import { type ChildProcess, type SpawnOptions, execFile, spawn } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { LabError } from "./errors.ts";

export interface Output {
  stdout: string;
  stderr: string;
}

/** How to start a program, as the toolbox answers it. */
export interface Program {
  path: string;
  args: string[];
  env: NodeJS.ProcessEnv;
}

/** Runs a program to its end. Throws LabError with what it said when it fails or takes longer than `timeoutMs`. */
export function run(program: Program, args: readonly string[], timeoutMs = 30_000): Promise<Output> {
  return new Promise((resolve, reject) => {
    const options = {
      env: program.env,
      timeout: timeoutMs,
      killSignal: "SIGKILL" as const,
      maxBuffer: 1 << 24,
    };
    execFile(program.path, [...program.args, ...args], options, (error, stdout, stderr) => {
      if (error === null) resolve({ stdout, stderr });
      else
        reject(
          new LabError(`${program.path} ${args.join(" ")}: ${stderr.trim() || error.message}`, {
            cause: error,
          }),
        );
    });
  });
}

/** Starts a server that the kernel kills when this process dies, however it dies. Its stdin is empty. */
export function spawnGuarded(
  program: Program,
  args: readonly string[],
  options: SpawnOptions = {},
): ChildProcess {
  // setpriv execs the program: the pid stays the same, and the death signal survives exec.
  const guarded = ["--pdeathsig", "KILL", "--", program.path, ...program.args, ...args];
  const child = spawn("setpriv", guarded, {
    env: program.env,
    stdio: ["ignore", "ignore", "pipe"],
    ...options,
  });
  child.unref(); // who forgets to stop it is not kept alive by it
  return child;
}

/** Waits for a child's end. Resolves at once when it has ended. */
export function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
  child.ref();
  return new Promise((resolve) => child.once("exit", () => resolve()));
}

/** Ends a child by pid: `signal` first, SIGKILL after `graceMs`. Works on a stopped (SIGSTOP) child too. */
export async function endChild(
  child: ChildProcess,
  signal: NodeJS.Signals = "SIGTERM",
  graceMs = 5000,
): Promise<void> {
  const gone = ended(child);
  child.kill(signal);
  child.kill("SIGCONT");
  const timer = setTimeout(() => child.kill("SIGKILL"), graceMs);
  await gone;
  clearTimeout(timer);
}

/** Polls until `probe` gives a value. Throws LabError `what` after `timeoutMs`, with the last error as cause. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let cause: unknown;
  for (;;) {
    try {
      const value = await probe();
      if (value !== undefined) return value;
    } catch (error) {
      if (error instanceof LabError && error.message.startsWith("gave up:")) throw error;
      cause = error;
    }
    if (Date.now() > deadline) throw new LabError(`${what}: not within ${timeoutMs} ms`, { cause });
    await sleep(25);
  }
}

/** The last lines of a log file, for error messages; empty when there is none. */
export function tailOf(file: string, lines = 8): string {
  try {
    return readFileSync(file, "utf8").trim().split("\n").slice(-lines).join("\n");
  } catch (error) {
    return `(no ${file}: ${String(error)})`;
  }
}

/** Freezes a process (SIGSTOP) and returns when each of its threads stands still. Throws LabError after a second. */
export function freeze(pid: number): void {
  process.kill(pid, "SIGSTOP");
  for (let waitedMs = 0; waitedMs < 1000; waitedMs++) {
    if (readdirSync(`/proc/${pid}/task`).every((tid) => isStopped(`/proc/${pid}/task/${tid}/stat`))) return;
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1);
  }
  throw new LabError(`process ${pid} does not stand still`);
}

function isStopped(stat: string): boolean {
  return /\) T [^)]*$/.test(readFileSync(stat, "utf8"));
}
