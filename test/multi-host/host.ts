/**
 * A host of its own on this machine: PID, mount, network, UTS and time namespaces, so that it has its own processes, host name,
 * boot id, machine id and uptime, and its own libvirt with real KVM guests, collector and actuator. It shares the CPUs.
 */
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { createHash, randomBytes, randomUUID } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { startLibvirt } from "@kvm-governor/lab";
import type { Guest, Libvirt } from "@kvm-governor/lab";
import { kernelState } from "../support/actuator-bench.ts";
import { ServiceProcess } from "../support/service-process.ts";
import type { Cable, Network } from "./network.ts";

const INIT = fileURLToPath(new URL("host-space.sh", import.meta.url));
/** Shifts the wall clock of a Node process: `CLOCK_REALTIME` has no namespace. */
const SKEW = new URL("skewed-clock.ts", import.meta.url).href;

export interface HostOptions {
  name: string;
  /** Directory of the host, made here. */
  dir: string;
  network: Network;
  /** For how long it has been up already, in seconds. */
  uptimeS: number;
  /** What its services' wall clock is off by, in milliseconds. */
  clockSkewMs?: number;
  /** Of every service of the host. */
  env: Readonly<Record<string, string>>;
}

export class Host implements AsyncDisposable {
  readonly id: string;
  readonly bootId: string;
  readonly cable: Cable;
  readonly libvirt: Libvirt;
  /** Enters the host's namespaces. */
  readonly enter: readonly string[];
  readonly #options: HostOptions;
  readonly #init: ChildProcess;
  readonly #initPid: number;
  readonly #services: ServiceProcess[] = [];

  private constructor(
    options: HostOptions,
    parts: Pick<Host, "id" | "bootId" | "cable" | "libvirt" | "enter"> & {
      init: ChildProcess;
      initPid: number;
    },
  ) {
    this.#options = options;
    this.id = parts.id;
    this.bootId = parts.bootId;
    this.cable = parts.cable;
    this.libvirt = parts.libvirt;
    this.enter = parts.enter;
    this.#init = parts.init;
    this.#initPid = parts.initPid;
  }

  static async start(options: HostOptions): Promise<Host> {
    const { name, dir, network, uptimeS } = options;
    mkdirSync(dir, { recursive: true });
    const bootId = randomUUID();
    const machineId = randomBytes(16).toString("hex");
    writeFileSync(path.join(dir, "boot_id"), `${bootId}\n`);
    writeFileSync(path.join(dir, "machine-id"), `${machineId}\n`);
    const spaces = ["--mount", "--uts", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "--time"];
    // The offset is added to the machine's own clock.
    const init = spawn("unshare", [...spaces, "--boottime", String(uptimeS), "sh", INIT, name, dir], {
      stdio: ["pipe", "pipe", "inherit"],
      detached: true,
    });
    await Promise.race([
      once(init.stdout, "data"),
      once(init, "exit").then(() => Promise.reject(new Error("no namespaces"))),
    ]);
    const initPid = Number(readFileSync(`/proc/${init.pid}/task/${init.pid}/children`, "utf8"));
    const enter = [
      "nsenter",
      "--target",
      String(initPid),
      "--mount",
      "--uts",
      "--net",
      "--pid",
      "--time",
      "--",
    ];
    try {
      const cable = network.connect(initPid);
      // The name is also that of its control groups: no other host's.
      const libvirt = await startLibvirt({ dir: path.join(dir, `libvirt-${name}`), enter });
      // As the services make it from the machine id.
      const id = existsSync("/etc/machine-id")
        ? createHash("sha256").update(`kvm-governor:${machineId}`).digest("hex").slice(0, 32)
        : name;
      return new Host(options, { id, bootId, cable, libvirt, enter, init, initPid });
    } catch (error) {
      await endSpace(init);
      throw error;
    }
  }

  get name(): string {
    return this.#options.name;
  }

  /** The host's own /proc, as this machine sees it. */
  get procRoot(): string {
    return `/proc/${this.#initPid}/root/proc`;
  }

  state(guest: Guest): Record<string, string> {
    return kernelState(guest, this.procRoot);
  }

  async collector(env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    return this.#service("collector", env);
  }

  async actuator(env: Readonly<Record<string, string>> = {}): Promise<ServiceProcess> {
    return this.#service("actuator", env);
  }

  async #service(
    name: "collector" | "actuator",
    env: Readonly<Record<string, string>>,
  ): Promise<ServiceProcess> {
    const { dir, clockSkewMs, env: common } = this.#options;
    const service = await ServiceProcess.start(
      name,
      {
        ...(existsSync("/etc/machine-id") ? {} : { KVMGOV_HOST_ID: this.id }),
        ...(clockSkewMs !== undefined && {
          NODE_OPTIONS: `--import=${SKEW}`,
          KVMGOV_TEST_SKEW_MS: String(clockSkewMs),
        }),
        KVMGOV_LISTEN: `[${this.cable.address}]:0`,
        KVMGOV_LIBVIRT_RUN_DIR: path.join(this.libvirt.runDir, "qemu"),
        KVMGOV_STATE_DIR: path.join(dir, "state"),
        KVMGOV_RUN_DIR: path.join(dir, "run"),
        ...common,
        ...env,
      },
      this.enter,
    );
    this.#services.push(service);
    return service;
  }

  /** Ends services, guests and libvirt, then the namespaces. What does not end in time is named, and killed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.cable.plug();
    const problems: unknown[] = [];
    const step = (what: string, end: Promise<unknown>): Promise<unknown> =>
      inTime(`${this.name}: ${what}`, end).catch((error: unknown) => problems.push(error));
    await Promise.all(
      this.#services.map(async (service) => {
        service.signal("SIGCONT");
        await step(`service ${service.url}, whose last word is ${service.log.at(-1)?.msg}`, service.stop());
        await service.kill();
      }),
    );
    await step("libvirt", this.libvirt.stop());
    await step("namespaces", endSpace(this.#init));
    this.#init.kill("SIGKILL");
    if (problems.length > 0) throw new AggregateError(problems, problems.map(String).join("; "));
  }
}

const STEP_MS_MAX = 25_000;

/** @throws {Error} naming what did not end */
async function inTime(what: string, end: Promise<unknown>): Promise<void> {
  const late = new AbortController();
  const limit = sleep(STEP_MS_MAX, true, { signal: late.signal }).catch(() => true);
  const isLate = await Promise.race([end.then(() => false), limit]);
  late.abort();
  if (isLate) throw new Error(`${what} does not end within ${STEP_MS_MAX} ms`);
}

async function endSpace(init: ChildProcess): Promise<void> {
  if (init.exitCode !== null || init.signalCode !== null) return;
  const gone = once(init, "exit");
  init.stdin?.end();
  await gone;
}
