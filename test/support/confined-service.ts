/** A service as docker-compose.yml runs it: user 0 with the capabilities that are listed there, and no others. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import path from "node:path";
import { createInterface } from "node:readline";
import { repository } from "./deployed.ts";
import { waitFor } from "./service-process.ts";

/** Other tests may keep every CPU busy. */
const START_MS_MAX = 60_000;

export class ConfinedService {
  readonly #child: ChildProcess;
  readonly #lines: string[] = [];
  #url = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    for (const stream of [child.stdout, child.stderr]) {
      if (stream !== null) createInterface(stream).on("line", (line) => this.#lines.push(line));
    }
  }

  /**
   * Starts a service on a free port and waits for its pages. Needs root.
   * @param capabilities names as in a compose file: `SYS_NICE`
   */
  static async start(
    name: string,
    capabilities: readonly string[],
    env: Readonly<Record<string, string>>,
  ): Promise<ConfinedService> {
    const kept = ["-all", ...capabilities.map((each) => `+${each.toLowerCase()}`)].join(",");
    const confined = [`--bounding-set=${kept}`, "--inh-caps=-all", "--ambient-caps=-all", "--no-new-privs"];
    const main = path.join(repository, `services/${name}/src/main.ts`);
    const child = spawn("setpriv", [...confined, process.execPath, main], {
      env: { PATH: process.env["PATH"], KVMGOV_LISTEN: "127.0.0.1:0", ...env },
      // The IPC channel ends the service with the test.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const service = new ConfinedService(child);
    try {
      service.#url = await waitFor("its pages", START_MS_MAX, () => {
        if (child.exitCode !== null) throw new Error("it ended");
        return /"event":"listening","url":"([^"]+)"/.exec(service.log)?.[1];
      });
      return service;
    } catch (cause) {
      await service.stop();
      throw new Error(`${name} did not start: ${service.log}`, { cause });
    }
  }

  get url(): string {
    return this.#url;
  }

  /** What it wrote, as lines. */
  get log(): string {
    return this.#lines.join("\n");
  }

  /** Orderly end. @returns the exit code */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.#child.kill("SIGTERM");
      await once(this.#child, "exit");
    }
    return this.#child.exitCode;
  }
}
