/** `kvmgov up` as a process: its lines, its services' processes, and every way to end it. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { waitFor } from "./service-process.ts";

const main = fileURLToPath(new URL("../../packages/cli/src/main.ts", import.meta.url));

export interface UpOptions {
  /** State and run directories are made below it. */
  dir: string;
  libvirtRunDir: string;
  args?: readonly string[];
  env?: Readonly<Record<string, string>>;
}

export class UpProcess {
  readonly lines: string[] = [];
  readonly #child: ChildProcess;

  constructor({ dir, libvirtRunDir, args = [], env = {} }: UpOptions) {
    this.#child = spawn(process.execPath, ["--disable-warning=ExperimentalWarning", main, "up", ...args], {
      env: {
        PATH: process.env["PATH"],
        HOME: process.env["HOME"],
        KVMGOV_STATE_DIR: path.join(dir, "state"),
        KVMGOV_RUN_DIR: path.join(dir, "run"),
        KVMGOV_LIBVIRT_RUN_DIR: libvirtRunDir,
        KVMGOV_HOST_ID: "up-test",
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
    });
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream !== null) createInterface(stream).on("line", (line) => this.lines.push(line));
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Waits for a line; fails with everything that was said when it does not come, or the process ends before. */
  async line(pattern: RegExp, timeoutMs = 20_000): Promise<string> {
    const probe = (): string | undefined => {
      const found = this.lines.find((line) => pattern.test(line));
      if (found === undefined && this.#child.exitCode !== null) {
        throw new Error(`it ended with ${this.#child.exitCode}`);
      }
      return found;
    };
    try {
      return await waitFor(`line ${pattern} of kvmgov up`, timeoutMs, probe);
    } catch (cause) {
      const said = this.lines.join("\n");
      throw new Error(`${(cause as Error).message}; kvmgov up said:\n${said}`, { cause });
    }
  }

  /** Processes started by it, by what their command line holds. */
  children(): { pid: number; command: string }[] {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .flatMap((name) => {
        try {
          const parent = Number(/\) \S (\d+)/.exec(readFileSync(`/proc/${name}/stat`, "utf8"))?.[1]);
          if (parent !== this.pid) return [];
          return [
            {
              pid: Number(name),
              command: readFileSync(`/proc/${name}/cmdline`, "utf8").replaceAll("\0", " "),
            },
          ];
        } catch (error) {
          // It ended between the listing and the reading.
          if (["ENOENT", "ESRCH"].includes((error as NodeJS.ErrnoException).code ?? "")) return [];
          throw error;
        }
      });
  }

  /** Process of a service. */
  pidOf(service: string): number | undefined {
    return this.children().find(({ command }) => command.includes(`services/${service}/`))?.pid;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** @returns exit code, or the signal that ended it */
  async ended(): Promise<number | NodeJS.Signals | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, "exit");
    return this.#child.exitCode ?? this.#child.signalCode;
  }

  /** As Ctrl-C does. */
  async stop(): Promise<number | NodeJS.Signals | null> {
    this.kill("SIGINT");
    return this.ended();
  }
}
