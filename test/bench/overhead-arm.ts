/**
 * The whole manager beside real KVM guests: collector, classifier and actuator as processes, with the servers they need. The host
 * is fully loaded: a guest whose vCPUs compute in step, one for each CPU, takes what the others leave. A round is two windows,
 * one with the manager running and one with it standing still (its plan stays in force), in turns which comes first: so only what
 * it costs differs, not what it does for guests.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { ControlPlane } from "../support/control-plane.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";
import type { Arm, Figures } from "./harness.ts";
import { availableMb, cpuOf, residentMbOf } from "./process-cost.ts";

export const CHECK_PERIOD_MS = 5000;
/** Two ticks, and never one more: it begins between two. */
const WINDOW_MS = 2 * CHECK_PERIOD_MS;
const SETTLE_MS = CHECK_PERIOD_MS / 2;
const STARTED_TOGETHER = 4;
/** A guest of 16 MiB takes about 35 MB with its QEMU; half of the memory is left to others. */
const GUEST_MB = 50;
/** The solver's vCPUs wait for each other 2000 times a second when nobody disturbs them. */
const SOLVER = "solver";
/** As deploy/redis/redis.conf. */
const REDIS_CONFIG = "appendfsync everysec";
const SERVICES = ["collector", "classifier", "actuator"] as const;

type Service = (typeof SERVICES)[number];

export class OverheadArm implements Arm {
  readonly name: string;
  /** Guests of another arm would be found, and load the host. */
  readonly isAlone = true;
  readonly rounds: number;
  readonly #wanted: number;
  readonly #dir: string;
  #libvirt: Libvirt | undefined;
  #plane: ControlPlane | undefined;
  #solver: Guest | undefined;
  #light = 0;
  readonly #services = new Map<Service, ServiceProcess>();
  #round = 0;

  /**
   * @param guests the solver and light ones: real as far as memory allows, `real_guests` says how many
   * @param dir for data, removed by the caller
   */
  constructor(guests: number, rounds: number, dir: string) {
    this.name = `${guests} guests`;
    this.rounds = rounds;
    this.#wanted = guests;
    this.#dir = join(dir, `overhead-${guests}`);
  }

  async setUp(): Promise<void> {
    mkdirSync(this.#dir, { recursive: true });
    const libvirt = (this.#libvirt = await startLibvirt());
    await this.#startGuests(libvirt);
    const plane = (this.#plane = await ControlPlane.start({}, REDIS_CONFIG));
    await this.#startServices(plane, libvirt);
    const solver = this.#solver;
    solver?.load.setLoad(100);
    const collector = this.#service("collector");
    await waitFor("the guests of the benchmark", 60_000, async () =>
      ((await collector.metric("kvmgov_collector_guests")) ?? 0) > this.#light ? true : undefined,
    );
    // Found, decided on, held: what a first plan costs is not what every one does.
    const classifier = this.#service("classifier");
    await waitFor("the solver in LIST_sc", 60_000, async () =>
      (await classifier.metric(`kvmgov_guest_scientific{host="bench",uuid="${solver?.uuid ?? ""}"}`)) === 1
        ? true
        : undefined,
    );
    await sleep(2 * CHECK_PERIOD_MS);
  }

  async measure(): Promise<Figures> {
    const isOnFirst = this.#round++ % 2 === 0;
    const figures: Figures = {};
    let rounds = { on: NaN, off: NaN };
    for (const isOn of isOnFirst ? [true, false] : [false, true]) {
      for (const service of this.#services.values()) service.signal(isOn ? "SIGCONT" : "SIGSTOP");
      await sleep(SETTLE_MS);
      const window = await this.#window();
      rounds = isOn ? { ...rounds, on: window.roundsPerS } : { ...rounds, off: window.roundsPerS };
      if (isOn) Object.assign(figures, window.cost);
      else if (window.managerMs > 0) throw new Error("the manager ran while it was to stand still");
    }
    for (const service of this.#services.values()) service.signal("SIGCONT");
    return {
      ...figures,
      solver_on_rounds_per_s: rounds.on,
      solver_off_rounds_per_s: rounds.off,
      slow_down_percent: (rounds.off / rounds.on - 1) * 100,
      guests: this.#wanted,
      real_guests: this.#light + 1,
    };
  }

  async tearDown(): Promise<void> {
    for (const service of this.#services.values()) service.signal("SIGCONT");
    await this.#services.get("actuator")?.stop();
    await this.#services.get("collector")?.stop();
    await this.#plane?.stop();
    await this.#libvirt?.stop();
  }

  async #startGuests(libvirt: Libvirt): Promise<void> {
    const room = Math.floor(availableMb() / 2 / GUEST_MB);
    const load = { vcpus: availableParallelism() };
    this.#solver = await libvirt.defineAndStart({ name: SOLVER, load, policy: { class: "scientific" } });
    // Halted, and woken by their clocks 100 times a second: no vCPU stands still.
    const names = Array.from({ length: Math.min(this.#wanted, room) - 1 }, (_, at) => `light-${at}`);
    this.#light = names.length;
    while (names.length > 0) {
      const some = names.splice(0, STARTED_TOGETHER);
      await Promise.all(some.map((name) => libvirt.defineAndStart({ name, load: { percent: 0 } })));
    }
  }

  async #startServices(plane: ControlPlane, libvirt: Libvirt): Promise<void> {
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
    };
    const host = {
      ...common,
      KVMGOV_HOST_ID: "bench",
      KVMGOV_NATS_URL: plane.nats.url,
      KVMGOV_NATS_USER: plane.nats.user,
      KVMGOV_NATS_PASSWORD: plane.nats.password,
      KVMGOV_STATE_DIR: join(this.#dir, "state"),
      KVMGOV_RUN_DIR: join(this.#dir, "run"),
      KVMGOV_LIBVIRT_RUN_DIR: join(libvirt.runDir, "qemu"),
      KVMGOV_POLICY_FILE: policyFile,
    };
    mkdirSync(host.KVMGOV_STATE_DIR, { recursive: true });
    // The plan must outlive the windows in which nobody renews it.
    const classifier = await plane.classifier({ ...common, KVMGOV_PLAN_TTL_MS: "600000" });
    this.#services.set("classifier", classifier);
    this.#services.set("actuator", await ServiceProcess.start("actuator", host));
    this.#services.set("collector", await ServiceProcess.start("collector", host));
  }

  #service(name: Service): ServiceProcess {
    const service = this.#services.get(name);
    if (service === undefined) throw new Error(`${name} is not set up`);
    return service;
  }

  async #window(): Promise<{ roundsPerS: number; managerMs: number; cost: Figures }> {
    const plane = this.#plane;
    if (plane === undefined || this.#solver === undefined) throw new Error("not set up");
    const pids = new Map<string, number>([...this.#services].map(([name, { pid }]) => [name, pid]));
    pids.set("nats", plane.nats.server.pid).set("redis", plane.redisServer.server.pid);
    const spent = (): Map<string, number> => new Map([...pids].map(([name, pid]) => [name, cpuOf([pid])]));
    const from = { cpu: spent(), ms: performance.now(), work: await this.#solver.load.work() };
    await sleep(WINDOW_MS);
    const work = await this.#solver.load.work();
    const elapsedMs = performance.now() - from.ms;
    const to = spent();
    const usedMs = (name: string): number => (to.get(name) ?? NaN) - (from.cpu.get(name) ?? NaN);
    const managerMs = SERVICES.reduce((sum, name) => sum + usedMs(name), 0);
    const cost: Figures = { manager_cpu_percent_of_core: (managerMs / elapsedMs) * 100 };
    for (const [name] of pids) cost[`${name}_cpu_percent_of_core`] = (usedMs(name) / elapsedMs) * 100;
    cost["manager_rss_mb"] = SERVICES.reduce((sum, name) => sum + residentMbOf(this.#service(name).pid), 0);
    for (const [name, pid] of pids) cost[`${name}_rss_mb`] = residentMbOf(pid);
    return { roundsPerS: ((work.rounds - from.work.rounds) * 1000) / elapsedMs, managerMs, cost };
  }
}
