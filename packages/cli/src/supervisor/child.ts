/** A child process of the supervisor: its own process group, so that Ctrl-C reaches only the supervisor. */
import { spawn } from "node:child_process";
import type { ChildProcess, SpawnOptions } from "node:child_process";

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
}

export class Child {
  readonly name: string;
  readonly exited: Promise<Exit>;
  readonly #process: ChildProcess;
  #exit: Exit | undefined;

  /** @throws {Error} the program cannot be started, through `exited` */
  constructor(name: string, command: string, args: readonly string[], options: SpawnOptions) {
    this.name = name;
    this.#process = spawn(command, args, { ...options, detached: true });
    this.exited = new Promise((resolve) => {
      const settle = (exit: Exit): void => {
        this.#exit ??= exit;
        resolve(this.#exit);
      };
      this.#process.once("exit", (code, signal) => settle({ code, signal }));
      this.#process.once("error", () => settle({ code: 127, signal: null }));
    });
  }

  get pid(): number | undefined {
    return this.#process.pid;
  }

  get running(): boolean {
    return this.#exit === undefined;
  }

  /** Calls back with each line of the child's standard output. */
  onLine(callback: (line: string) => void): void {
    onLines(this.#process.stdout, callback);
  }

  /** Gives the child its whole standard input, where that is a pipe. */
  feed(text: string): void {
    // A child that ended early closes the pipe: its end is reported by `exited`.
    this.#process.stdin?.on("error", () => undefined);
    this.#process.stdin?.end(text);
  }

  onErrorLine(callback: (line: string) => void): void {
    onLines(this.#process.stderr, callback);
  }

  kill(signal: NodeJS.Signals): void {
    if (this.running) this.#process.kill(signal);
  }

  /** SIGTERM, then SIGKILL where it did not help in time. Also ends a child that is frozen (SIGSTOP). */
  async stop(graceMs: number): Promise<Exit> {
    this.kill("SIGTERM");
    const timer = setTimeout(() => this.kill("SIGKILL"), graceMs);
    const exit = await this.exited;
    clearTimeout(timer);
    return exit;
  }
}

function onLines(stream: NodeJS.ReadableStream | null, callback: (line: string) => void): void {
  let rest = "";
  stream?.setEncoding("utf8");
  stream?.on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") callback(line);
  });
}
