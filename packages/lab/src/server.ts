/** One server program on a loopback port: start, stop, kill, pause, restart on the same port and data. */
import type { ChildProcess } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { createServer } from "node:net";
import { LabError } from "./errors.ts";
import { type Program, endChild, ended, freeze, spawnGuarded, tailOf, until } from "./process.ts";

export interface ServerPlan {
  name: string;
  program: Program;
  /** Where its output goes. */
  logFile: string;
  /** Arguments for a port; also called at each restart, with the same port. */
  args(port: number): Promise<string[]> | string[];
  /** Resolves when the server answers on the port; rejects or gives false while it does not. */
  probe(port: number): Promise<boolean>;
}

const START_TIMEOUT_MS = 20_000;
const PORT_ATTEMPTS = 5;

export class Server {
  readonly port: number;
  readonly #plan: ServerPlan;
  #child: ChildProcess;

  private constructor(plan: ServerPlan, port: number, child: ChildProcess) {
    this.#plan = plan;
    this.port = port;
    this.#child = child;
  }

  /** Starts the server on a free port and waits until it answers. Throws LabError with the end of its log. */
  static async start(plan: ServerPlan): Promise<Server> {
    for (let attempt = 1; ; attempt++) {
      const port = await freePort();
      try {
        return new Server(plan, port, await launch(plan, port));
      } catch (error) {
        // Between our look and the server's bind someone else may have taken the port.
        if (attempt === PORT_ATTEMPTS || !/address already in use/i.test(String(error))) throw error;
      }
    }
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Resolves when the process has ended, by whatever cause. */
  ended(): Promise<void> {
    return ended(this.#child);
  }

  /** Orderly end (SIGTERM). */
  stop(): Promise<void> {
    return endChild(this.#child);
  }

  /** Sudden end (SIGKILL). */
  kill(): Promise<void> {
    return endChild(this.#child, "SIGKILL");
  }

  /** Freezes it, at once: connections stay open, nothing is answered. */
  pause(): void {
    freeze(this.pid);
  }

  resume(): void {
    this.#child.kill("SIGCONT");
  }

  /** Starts it again on the same port and data; ends it first when it runs. */
  async restart(): Promise<void> {
    await this.stop();
    this.#child = await launch(this.#plan, this.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }
}

async function launch(plan: ServerPlan, port: number): Promise<ChildProcess> {
  const log = openSync(plan.logFile, "a", 0o600);
  const child = spawnGuarded(plan.program, await plan.args(port), { stdio: ["ignore", log, log] });
  closeSync(log);
  try {
    await until(plan.name, START_TIMEOUT_MS, async () => {
      if (child.exitCode !== null || child.signalCode !== null) throw new LabError("gave up: it ended");
      return (await plan.probe(port)) ? true : undefined;
    });
    return child;
  } catch (error) {
    await endChild(child, "SIGKILL");
    throw new LabError(`${plan.name} did not start: ${tailOf(plan.logFile)}`, { cause: error });
  }
}

/** A loopback port that nobody listens on at this moment. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.once("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      server.close(() => {
        if (address !== null && typeof address === "object") resolve(address.port);
        else reject(new LabError("no free port"));
      });
    });
  });
}
