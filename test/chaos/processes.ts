/** Classifiers and groups of hosts as processes on machines of a chaos network; they die with the test, also frozen ones. */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { ServiceProcess } from "../support/service-process.ts";
import type { GroupOptions, HostMessage } from "./messages.ts";
import type { Place } from "./network.ts";

const GUARD = ["--pdeathsig", "KILL", "--"];

/** A classifier; it can be killed, frozen and started again. */
export class Classifier {
  readonly place: Place;
  readonly #env: Readonly<Record<string, string>>;
  #process: ServiceProcess;

  private constructor(place: Place, env: Readonly<Record<string, string>>, process: ServiceProcess) {
    this.place = place;
    this.#env = env;
    this.#process = process;
  }

  static async start(place: Place, env: Readonly<Record<string, string>>): Promise<Classifier> {
    return new Classifier(place, env, await launch(place, env));
  }

  get process(): ServiceProcess {
    return this.#process;
  }

  async kill(): Promise<void> {
    await this.#process.kill();
  }

  async restart(): Promise<void> {
    await this.kill();
    this.#process = await launch(this.place, this.#env);
  }
}

function launch(place: Place, env: Readonly<Record<string, string>>): Promise<ServiceProcess> {
  const main = fileURLToPath(new URL("../../services/classifier/src/main.ts", import.meta.url));
  const args = [...GUARD, ...place.prefix, process.execPath, main];
  return ServiceProcess.startProgram("setpriv", args, { KVMGOV_LISTEN: `${place.address}:0`, ...env });
}

/** A process of simulated hosts. */
export class HostGroup {
  readonly place: Place;
  readonly #child: ChildProcess;

  constructor(place: Place, options: GroupOptions, hear: (message: HostMessage) => void) {
    this.place = place;
    const program = fileURLToPath(new URL("host-group.ts", import.meta.url));
    const args = [...GUARD, ...place.prefix, process.execPath, program, JSON.stringify(options)];
    this.#child = spawn("setpriv", args, {
      env: { PATH: process.env["PATH"] },
      stdio: ["ignore", "inherit", "inherit", "ipc"],
    });
    this.#child.on("message", (message) => hear(message as HostMessage));
  }

  /** It ended by itself: nothing of its hosts can be judged any more. */
  get isDead(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  async stop(): Promise<void> {
    if (this.isDead) return;
    this.#child.kill("SIGKILL");
    await once(this.#child, "exit");
  }
}
