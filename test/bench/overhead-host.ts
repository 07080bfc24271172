/**
 * A host with the whole manager on it: real KVM guests under a libvirt of our own, NATS and Redis, and collector, classifier and actuator
 * as processes, as the supervisor starts them. One guest takes all CPUs that the others leave: the host is fully loaded.
 */
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { nodeFlags } from "../../packages/cli/src/supervisor/node-flags.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";
import { availableMb, cpuOf, residentMbOf } from "./process-cost.ts";

export const CHECK_PERIOD_MS = 5000;
const STOPPING_MS_MAX = 10_000;
const STARTED_TOGETHER = 4;
/** A guest of 16 MiB takes about 35 MB with its QEMU; half of the memory is left to others. */
const GUEST_MB = 50;
/** In memory, as /run is: a heartbeat on a disk costs ten times as much. */
const RUN_ROOT = "/dev/shm";
/** Its vCPUs, one for each CPU, wait for each other 2000 times a second when nobody disturbs them. */
const SOLVER = "solver";
/** As deploy/redis/redis.conf. */
const REDIS_CONFIG = "appendfsync everysec";

export const SERVICES = ["collector", "classifier", "actuator"] as const;
export type Service = (typeof SERVICES)[number];

/** What the solver did since it started. */
export interface SolverWork {
  /** Slices that its vCPUs completed together. */
  rounds: number;
  /** CPU time of its vCPUs, milliseconds. */
  cpuMs: number;
}

export class OverheadHost {
  readonly #wanted: number;
  readonly #dir: string;
  #runDir: string | undefined;
  readonly #env: Readonly<Record<string, string>>;
  #libvirt: Libvirt | undefined;
  #plane: ControlPlane | undefined;
  #solver: Guest | undefined;
  #light = 0;
  readonly #services = new Map<Service, ServiceProcess>();

  /**
   * @param guests the solver and light ones: real as far as memory allows, {@link guestsRunning} says how many
   * @param dir for data, removed by the caller
   * @param env of all services, over what they need
   */
  constructor(guests: number, dir: string, env: Readonly<Record<string, string>> = {}) {
    this.#wanted = guests;
    this.#dir = dir;
    this.#env = env;
  }

  get guestsRunning(): number {
    return this.#light + 1;
  }

  /** Guests run, are known, decided on and held: what a first plan costs is not what every one does. */
  async start(): Promise<void> {
    mkdirSync(this.#dir, { recursive: true });
    this.#runDir = mkdtempSync(join(RUN_ROOT, "kvmgov-bench-"));
    const libvirt = (this.#libvirt = await startLibvirt());
    const solver = (this.#solver = await this.#startGuests(libvirt));
    const plane = (this.#plane = await ControlPlane.start({}, REDIS_CONFIG));
    await this.#startServices(plane, libvirt, this.#runDir);
    solver.load.setLoad(100);
    const collector = this.service("collector");
    await waitFor("the guests of the benchmark", 60_000, async () =>
      ((await collector.metric("kvmgov_collector_guests")) ?? 0) > this.#light ? true : undefined,
    );
    const classifier = this.service("classifier");
    await waitFor("the solver in LIST_sc", 60_000, async () =>
      (await classifier.metric(`kvmgov_guest_scientific{host="bench",uuid="${solver.uuid}"}`)) === 1
        ? true
        : undefined,
    );
    await sleep(2 * CHECK_PERIOD_MS);
  }

  async stop(): Promise<void> {
    await this.run(true);
    await this.#services.get("actuator")?.stop();
    await this.#services.get("collector")?.stop();
    await this.#plane?.stop();
    await this.#libvirt?.stop();
    if (this.#runDir !== undefined) rmSync(this.#runDir, { recursive: true, force: true });
  }

  /** Lets the manager run, or stand still with its plan in force. On a loaded host a thread needs a CPU to hear that it is to stop: waits for that. */
  async run(isOn: boolean): Promise<void> {
    for (const service of this.#services.values()) service.signal(isOn ? "SIGCONT" : "SIGSTOP");
    if (isOn) return;
    const pids = [...this.#services.values()].map(({ pid }) => pid);
    await waitFor("the manager to stand still", STOPPING_MS_MAX, async () =>
      pids.every(isStopped) ? true : undefined,
    );
  }

  service(name: Service): ServiceProcess {
    const service = this.#services.get(name);
    if (service === undefined) throw new Error(`${name} is not set up`);
    return service;
  }

  /** CPU time in milliseconds, of the services and the servers by name. */
  cpuMs(): Map<string, number> {
    return new Map([...this.#pids()].map(([name, pid]) => [name, cpuOf([pid])]));
  }

  /** Resident memory in MB, of the services and the servers by name. */
  residentMb(): Map<string, number> {
    return new Map([...this.#pids()].map(([name, pid]) => [name, residentMbOf(pid)]));
  }

  /** Answers within a tick of the solver, 10 ms. */
  async work(): Promise<SolverWork> {
    if (this.#solver === undefined) throw new Error("the solver is not set up");
    const { rounds } = await this.#solver.load.work();
    const { pid, vcpuTids } = this.#solver;
    return { rounds, cpuMs: vcpuTids.reduce((sum, tid) => sum + threadCpuMs(pid, tid), 0) };
  }

  #pids(): Map<string, number> {
    const plane = this.#plane;
    if (plane === undefined) throw new Error("the servers are not set up");
    const pids = new Map<string, number>([...this.#services].map(([name, { pid }]) => [name, pid]));
    return pids.set("nats", plane.nats.server.pid).set("redis", plane.redisServer.server.pid);
  }

  async #startGuests(libvirt: Libvirt): Promise<Guest> {
    const room = Math.floor(availableMb() / 2 / GUEST_MB);
    const load = { vcpus: availableParallelism() };
    const solver = await libvirt.defineAndStart({ name: SOLVER, load, policy: { class: "scientific" } });
    // Halted, and woken by their clocks 100 times a second: no vCPU stands still.
    const names = Array.from({ length: Math.min(this.#wanted, room) - 1 }, (_, at) => `light-${at}`);
    this.#light = names.length;
    while (names.length > 0) {
      const some = names.splice(0, STARTED_TOGETHER);
      await Promise.all(some.map((name) => libvirt.defineAndStart({ name, load: { percent: 0 } })));
    }
    return solver;
  }

  async #startServices(plane: ControlPlane, libvirt: Libvirt, runDir: string): Promise<void> {
    const policyFile = join(this.#dir, "policy.yaml");
    // Other guests of this machine are not ours.
    const own = [
      { match: { name: SOLVER }, class: "scientific" },
      { match: { name: "light-*" }, class: "auto" },
    ];
    writeFileSync(policyFile, JSON.stringify({ rules: [...own, { match: { name: "*" }, class: "exempt" }] }));
    const common = {
      // As the supervisor starts it: a small young generation, and types that are stripped once.
      NODE_OPTIONS: "--max-semi-space-size=2",
      NODE_COMPILE_CACHE: join(this.#dir, "compile-cache"),
      KVMGOV_CHECK_PERIOD_MS: String(CHECK_PERIOD_MS),
      ...this.#env,
    };
    const host = {
      ...common,
      KVMGOV_HOST_ID: "bench",
      KVMGOV_NATS_URL: plane.nats.url,
      KVMGOV_NATS_USER: plane.nats.user,
      KVMGOV_NATS_PASSWORD: plane.nats.password,
      KVMGOV_STATE_DIR: join(this.#dir, "state"),
      KVMGOV_RUN_DIR: runDir,
      KVMGOV_LIBVIRT_RUN_DIR: join(libvirt.runDir, "qemu"),
      KVMGOV_POLICY_FILE: policyFile,
    };
    mkdirSync(host.KVMGOV_STATE_DIR, { recursive: true });
    // The plan must outlive the windows in which nobody renews it.
    const classifier = await plane.classifier({
      ...common,
      NODE_OPTIONS: nodeFlags("classifier").join(" "),
      KVMGOV_PLAN_TTL_MS: "600000",
    });
    this.#services.set("classifier", classifier);
    this.#services.set("actuator", await ServiceProcess.start("actuator", host));
    this.#services.set("collector", await ServiceProcess.start("collector", host));
  }
}

/** Whether all threads of a process are stopped by a signal (proc_pid_stat(5): state T). */
function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((tid) =>
    /\) T /.test(readFileSync(`/proc/${pid}/task/${tid}/stat`, "latin1")),
  );
}

function threadCpuMs(pid: number, tid: number): number {
  return Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ")[0]) / 1e6;
}
