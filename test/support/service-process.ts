/** One of the services as a real process: its log as events, its pages, and every way to end it. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export type ServiceName = "collector" | "classifier" | "actuator" | "guardian";

/** One line of the log. */
export interface LogLine {
  level: string;
  msg: string;
  event?: string;
  [field: string]: unknown;
}

export interface ReadyPage {
  status: number;
  ready: boolean;
  parts: Record<string, { ok: boolean; detail: string }>;
}

export class ServiceProcess {
  readonly log: LogLine[] = [];
  readonly #child: ChildProcess;
  #url = "";

  private constructor(child: ChildProcess) {
    this.#child = child;
    if (child.stdout !== null)
      createInterface(child.stdout).on("line", (line) => this.log.push(readLine(line)));
    if (child.stderr !== null)
      createInterface(child.stderr).on("line", (line) => this.log.push(readLine(line)));
  }

  /**
   * Starts a service on a free port and waits until its pages are there. Its environment is `env` and PATH alone.
   * @param enter a command that enters namespaces and starts it there as its only child (`nsenter …`)
   */
  static async start(
    name: ServiceName,
    env: Readonly<Record<string, string>>,
    enter: readonly string[] = [],
  ): Promise<ServiceProcess> {
    const file = name === "guardian" ? "actuator/src/guardian.ts" : `${name}/src/main.ts`;
    const main = fileURLToPath(new URL(`../../services/${file}`, import.meta.url));
    // The guardian has no pages.
    const [program, ...args] = [...enter, process.execPath, main];
    return this.startProgram(program, args, env, name === "guardian" ? "guarding" : "listening");
  }

  /** Starts any program that is a service, and waits for the event that says that it has started. */
  static async startProgram(
    program: string,
    args: readonly string[],
    env: Readonly<Record<string, string>>,
    startEvent = "listening",
  ): Promise<ServiceProcess> {
    const child = spawn(program, args, {
      env: { PATH: process.env["PATH"], KVMGOV_LISTEN: "127.0.0.1:0", ...env },
      // The IPC channel is what tells a service that its supervisor is gone: it ends with the test, also a killed one.
      stdio: ["ignore", "pipe", "pipe", "ipc"],
    });
    const service = new ServiceProcess(child);
    try {
      const started = await service.event(startEvent, 60_000);
      service.#url = String(started["url"]);
      return service;
    } catch (error) {
      await service.kill();
      throw error;
    }
  }

  get url(): string {
    return this.#url;
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Lines of one event so far. */
  events(event: string): LogLine[] {
    return this.log.filter((line) => line.event === event);
  }

  /** Waits until there are `count` lines of an event; the last of them. */
  async event(event: string, timeoutMs = 10_000, count = 1): Promise<LogLine> {
    return waitFor(`event ${event} of ${this.pid}`, timeoutMs, () => {
      if (this.#child.exitCode !== null && event !== "failed") throw new Error(`it ended: ${this.#tail()}`);
      return this.events(event)[count - 1];
    });
  }

  async json(path: string): Promise<{ status: number; body: unknown }> {
    const response = await fetch(this.#url + path);
    return { status: response.status, body: await response.json() };
  }

  async ready(): Promise<ReadyPage> {
    const { status, body } = await this.json("/-/ready");
    return { status, ...(body as Omit<ReadyPage, "status">) };
  }

  async metrics(): Promise<string> {
    return (await fetch(`${this.#url}/metrics`)).text();
  }

  /** Value of one series, written as on the page: `name` or `name{labels}`; undefined where there is none. */
  async metric(series: string): Promise<number | undefined> {
    const line = (await this.metrics()).split("\n").find((text) => text.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  }

  /** Nothing where it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const inner = this.#child.spawnfile === "nsenter" ? onlyChildOf(this.pid) : undefined;
    if (inner === undefined) return void this.#child.kill(signal);
    process.kill(inner, signal);
    // It stops itself with the one inside, and then sees no end of it.
    if (signal !== "SIGSTOP") this.#child.kill("SIGCONT");
  }

  /** Orderly end. @returns the exit code */
  async stop(): Promise<number | null> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      this.signal("SIGTERM");
      await once(this.#child, "exit");
    }
    return this.#child.exitCode;
  }

  /** Sudden end. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    this.signal("SIGKILL");
    await once(this.#child, "exit");
  }

  #tail(): string {
    return this.log
      .slice(-5)
      .map(({ msg }) => msg)
      .join(" | ");
  }
}

/** Who enters a PID namespace stays outside, and waits for the one inside. */
function onlyChildOf(pid: number): number | undefined {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").trim();
  return /^\d+$/.test(children) ? Number(children) : undefined;
}

function readLine(line: string): LogLine {
  try {
    return JSON.parse(line) as LogLine;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { level: "error", msg: line };
  }
}

/** Polls until `probe` gives a value. @throws {Error} `what` was not there in time */
export async function waitFor<T>(
  what: string,
  timeoutMs: number,
  probe: () => Promise<T | undefined> | T | undefined,
): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined) return value;
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs} ms`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}
