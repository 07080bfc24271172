/** A program on a test host as a transient unit of its systemd, with its log as events. */
import { setTimeout as sleep } from "node:timers/promises";
import { V2HostError } from "./errors.ts";
import { NODE, NODE_ENV, type V2Host } from "./v2-host.ts";

export interface UnitEvent {
  event?: string;
  [field: string]: unknown;
}

const POLL_MS = 150;
/** On a quiet machine. */
const EVENT_MS_MAX = 180_000;
const END_MS_MAX = 180_000;
/** Whether a unit runs is asked rarely: it costs a process, which is what an emulated host is slow at. */
const POLLS_PER_LOOK = 10;

export interface UnitOptions {
  /** Unique as long as the host is up. */
  name: string;
  /** Runs under Node. */
  script: string;
  env: Readonly<Record<string, string>>;
  /** Command that systemd runs however it ends (`ExecStopPost`), in the same environment. */
  after?: string | undefined;
}

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

  static async start(host: V2Host, { name, script, env, after }: UnitOptions): Promise<Unit> {
    const unit = new Unit(host, name);
    const variables = Object.entries({ ...NODE_ENV, ...host.environment, ...env }).map(([key, value]) =>
      quote(`--setenv=${key}=${value}`),
    );
    const output = ["StandardOutput", "StandardError"].map((key) => `--property=${key}=append:${unit.#log}`);
    const guard = after === undefined ? [] : [quote(`--property=ExecStopPost=${after}`)];
    const options = [`--unit=${name}`, "--quiet", ...output, ...guard, ...variables].join(" ");
    await host.check(`: >${unit.#log}; systemd-run ${options} ${NODE} ${script}`);
    return unit;
  }

  /** Waits until there are `count` lines of an event; the last of them. @throws {V2HostError} with the end of the log */
  async event(event: string, timeoutMs = EVENT_MS_MAX * this.#host.slowness, count = 1): Promise<UnitEvent> {
    const deadline = Date.now() + timeoutMs;
    for (let poll = 1; ; poll++) {
      const isActive = poll % POLLS_PER_LOOK !== 0 || (await this.#isActive()); // first: what it said last must not be missed
      await this.#readOn();
      const found = this.#events.filter((line) => line.event === event)[count - 1];
      if (found !== undefined) return found;
      const why = isActive ? (Date.now() > deadline ? `not within ${timeoutMs} ms` : undefined) : "it ended";
      if (why !== undefined)
        throw new V2HostError(`${this.#name}: no event ${event}: ${why}: ${this.#tail()}`);
      await sleep(POLL_MS);
    }
  }

  /** Orderly end. @returns its exit code: 0 @throws {V2HostError} it ended with another, with the end of its log */
  async stop(): Promise<number> {
    // A unit that succeeded is forgotten, and what is forgotten has the status 0.
    const status = `systemctl show --value --property=ExecMainStatus ${this.#name}`;
    const stop = `systemctl stop ${this.#name}; ${status}`;
    const code = Number(await this.#host.check(stop, { timeoutMs: END_MS_MAX }));
    if (code === 0) return code;
    await this.#readOn();
    throw new V2HostError(`${this.#name} ended with ${code}: ${this.#tail()}`);
  }

  /** Sudden end. Resolves when what runs after it has ended too. */
  async kill(): Promise<void> {
    const isOver = `case $(systemctl is-active ${this.#name}) in inactive|failed) exit 0 ;; esac`;
    const kill = `systemctl kill --kill-whom=main --signal=SIGKILL ${this.#name}`;
    await this.#host.check(`${kill}; while :; do ${isOver}; sleep 0.1; done`, { timeoutMs: END_MS_MAX });
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
