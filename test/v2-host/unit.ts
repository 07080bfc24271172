/** A program on a test host as a transient unit of its systemd, with its log as events. */
import { setTimeout as sleep } from "node:timers/promises";
import { V2HostError } from "./errors.ts";
import { NODE, type V2Host } from "./v2-host.ts";

export interface UnitEvent {
  event?: string;
  [field: string]: unknown;
}

/** What Node compiled is kept as long as the host is up: starting it again takes half the time (measured). */
export const NODE_ENV = { NODE_COMPILE_CACHE: "/run/node-compile-cache" };

export class Unit {
  readonly #host: V2Host;
  readonly #name: string;
  readonly #log: string;
  #events: UnitEvent[] = [];
  #read = 0;
  #rest = "";

  private constructor(host: V2Host, name: string) {
    this.#host = host;
    this.#name = name;
    this.#log = `/run/${name}.log`;
  }

  /** Starts `script` under Node. @param name unique as long as the host is up */
  static async start(
    host: V2Host,
    name: string,
    script: string,
    env: Readonly<Record<string, string>>,
  ): Promise<Unit> {
    const unit = new Unit(host, name);
    const variables = Object.entries({ ...NODE_ENV, ...env }).map(([key, value]) =>
      quote(`--setenv=${key}=${value}`),
    );
    const output = ["StandardOutput", "StandardError"].map((key) => `--property=${key}=append:${unit.#log}`);
    const options = [`--unit=${name}`, "--quiet", ...output, ...variables].join(" ");
    await host.check(`: >${unit.#log}; systemd-run ${options} ${NODE} ${script}`);
    return unit;
  }

  /** Waits until there are `count` lines of an event; the last of them. @throws {V2HostError} with the end of the log */
  async event(event: string, timeoutMs = 180_000, count = 1): Promise<UnitEvent> {
    for (const deadline = Date.now() + timeoutMs; ; await sleep(100)) {
      const isActive = await this.#isActive(); // asked first: what it said last must not be missed
      await this.#readOn();
      const found = this.#events.filter((line) => line.event === event)[count - 1];
      if (found !== undefined) return found;
      const why = isActive ? (Date.now() > deadline ? `not within ${timeoutMs} ms` : undefined) : "it ended";
      if (why !== undefined)
        throw new V2HostError(`${this.#name}: no event ${event}: ${why}: ${this.#tail()}`);
    }
  }

  async signal(signal: string): Promise<void> {
    await this.#host.run(`systemctl kill --signal=${signal} ${this.#name}`);
  }

  /** Orderly end. @returns its exit code */
  async stop(): Promise<number> {
    await this.#host.run(`systemctl stop ${this.#name}`);
    // A unit that succeeded is forgotten, and what is forgotten has the status 0.
    return Number(await this.#host.check(`systemctl show --value --property=ExecMainStatus ${this.#name}`));
  }

  /** Sudden end. */
  async kill(): Promise<void> {
    await this.signal("SIGKILL");
    await this.#host.run(`while systemctl --quiet is-active ${this.#name}; do sleep 0.05; done`);
  }

  async #isActive(): Promise<boolean> {
    return (await this.#host.run(`systemctl --quiet is-active ${this.#name}`)).code === 0;
  }

  async #readOn(): Promise<void> {
    const chunk = await this.#host.get(this.#log, this.#read);
    this.#read += chunk.length;
    const lines = (this.#rest + chunk.toString()).split("\n");
    this.#rest = lines.pop() ?? "";
    this.#events.push(...lines.map(readEvent));
  }

  #tail(): string {
    return this.#events
      .slice(-5)
      .map(({ msg }) => String(msg))
      .join(" | ");
  }
}

function readEvent(line: string): UnitEvent {
  try {
    return JSON.parse(line) as UnitEvent;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return { msg: line };
  }
}

/** One word for `sh`, whatever is in it. */
export function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
