/** A bench for the actuator: real guests, a real NATS, plans made by hand, and what the kernel says before and after. */
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Guest, Libvirt, NatsServer } from "@kvm-governor/lab";
import { startNats } from "@kvm-governor/lab";
import { bootTimeUs, readBootId, restore, startTimeOf } from "@kvm-governor/linux";
import { appliedSchema, type Applied, type GuestPlan, type Plan } from "@kvm-governor/policy";
import { type Bus, connectBus, createLogger, PlanConflictError, Readiness } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { ServiceProcess, waitFor } from "./service-process.ts";

export const HOST = "testhost";

/** Longer than NATS waits before it sends a message again that a reader under load had taken and lost (10 s). */
const REPORT_MS_MAX = 30_000;

export class ActuatorBench implements AsyncDisposable {
  readonly dir: string;
  readonly nats: NatsServer;
  readonly applied: Applied[] = [];
  readonly #bus: Bus;
  readonly #stop = new AbortController();
  readonly #actuators: ServiceProcess[] = [];
  #generation = 0;
  #revision = 0;

  private constructor(dir: string, nats: NatsServer, bus: Bus) {
    this.dir = dir;
    this.nats = nats;
    this.#bus = bus;
  }

  static async start(): Promise<ActuatorBench> {
    const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-actuator-${process.pid}-`));
    const nats = await startNats({ dir: path.join(dir, "nats") });
    const log = createLogger("test", "silent");
    const readiness = new Readiness();
    const { url, user, password } = nats;
    const bus = connectBus({
      url,
      user,
      password,
      name: "test",
      log,
      readiness,
      registry: new Registry(),
      manage: true,
    });
    await waitFor("streams", 10_000, () => readiness.parts()["streams"]?.ok === true || undefined);
    const bench = new ActuatorBench(dir, nats, bus);
    void bus.consume("applied", "test", bench.#stop.signal, (message) => {
      bench.applied.push(appliedSchema.parse(JSON.parse(Buffer.from(message.data).toString())));
      message.ack();
    });
    return bench;
  }

  get stateDir(): string {
    return path.join(this.dir, "state");
  }

  get runDir(): string {
    return path.join(this.dir, "run");
  }

  async actuator(libvirt: Libvirt, env: Record<string, string> = {}): Promise<ServiceProcess> {
    await mkdir(this.stateDir, { recursive: true });
    const service = await ServiceProcess.start("actuator", { ...this.environment(libvirt), ...env });
    this.#actuators.push(service);
    return service;
  }

  /** Settings of a service of this host. */
  environment(libvirt: Libvirt): Record<string, string> {
    return {
      KVMGOV_HOST_ID: HOST,
      KVMGOV_NATS_URL: this.nats.url,
      KVMGOV_NATS_USER: this.nats.user,
      KVMGOV_NATS_PASSWORD: this.nats.password,
      KVMGOV_LIBVIRT_RUN_DIR: path.join(libvirt.runDir, "qemu"),
      KVMGOV_STATE_DIR: this.stateDir,
      KVMGOV_RUN_DIR: this.runDir,
    };
  }

  /** A plan of a new generation, good for `ttlMs`. */
  plan(guests: GuestPlan[], ttlMs: number, overrides: Partial<Plan> = {}): Plan {
    const now = bootTimeUs();
    return {
      schema: 1,
      host: HOST,
      bootId: readBootId(),
      generation: ++this.#generation,
      sequence: now,
      expiresAtUs: now + ttlMs * 1000,
      preset: "test",
      guests,
      ...overrides,
    };
  }

  /** Puts anything under the host's key. */
  async put(value: unknown): Promise<void> {
    try {
      this.#revision = await this.#bus.plans.put(HOST, value, this.#revision);
    } catch (error) {
      if (!(error instanceof PlanConflictError)) throw error;
      this.#revision = (await this.#bus.plans.get(HOST))?.revision ?? 0;
      this.#revision = await this.#bus.plans.put(HOST, value, this.#revision);
    }
  }

  /** Puts a plan and waits for its report. */
  async follow(plan: Plan): Promise<Applied> {
    await this.put(plan);
    return this.report(`report of generation ${plan.generation}`, ({ generation, sequence, switchFired }) => {
      return generation === plan.generation && sequence === plan.sequence && switchFired === undefined;
    });
  }

  async report(
    what: string,
    isIt: (applied: Applied) => boolean,
    timeoutMs = REPORT_MS_MAX,
  ): Promise<Applied> {
    try {
      return await waitFor(what, timeoutMs, () => this.applied.find(isIt));
    } catch (cause) {
      const actuator = this.#actuators.at(-1);
      const said = actuator?.log.slice(-15).map((line) => JSON.stringify(line));
      const { generation, sequence } = this.applied.at(-1) ?? {};
      const last = `last report: generation ${generation}, sequence ${sequence}`;
      throw new Error([(cause as Error).message, last, ...(said ?? [])].join("\n"), { cause });
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const actuator of this.#actuators) {
      actuator.signal("SIGCONT");
      await actuator.kill();
    }
    // A test that failed must not spoil the next one.
    await restore({ stateDir: this.stateDir, runDir: this.runDir });
    this.#stop.abort();
    await this.#bus.close();
    await this.nats.server.stop();
    await rm(this.dir, { recursive: true, force: true });
  }
}

/** A plan that leaves a guest as it was found. */
export function baselinePlan(guest: Guest): GuestPlan {
  return {
    uuid: guest.uuid,
    name: guest.name,
    pid: guest.pid,
    startTime: startTimeOf("/proc", guest.pid) ?? 0,
    class: "scientific",
    count: 0,
    since: 0,
    vcpus: guest.vcpuTids.map((_, index) => ({ index, bandwidth: "baseline", cpus: "baseline" })),
    weight: "baseline",
    emulatorCpus: "baseline",
    ioThreadCpus: "baseline",
    reasons: [{ code: "test", text: "the test wants it" }],
  };
}

/** A plan that holds everything that can be held. */
export function heldPlan(guest: Guest): GuestPlan {
  return {
    ...baselinePlan(guest),
    vcpus: guest.vcpuTids.map((_, index) => ({ index, bandwidth: 0.3, cpus: [0] })),
    weight: "idle",
    emulatorCpus: [1],
    ioThreadCpus: [1],
    periodUs: 20_000,
  };
}

const CONTROL_FILES = ["cpu.shares", "cpu.idle", "cpu.cfs_quota_us", "cpu.cfs_period_us", "cpu.cfs_burst_us"];

/**
 * Every byte that the actuator could have changed about a guest, read without any of its code.
 * @param procRoot where the processes have the numbers that the guest names: that of another PID namespace
 */
export function kernelState(
  { pid, vcpuTids }: Pick<Guest, "pid" | "vcpuTids">,
  procRoot = "/proc",
): Record<string, string> {
  const state: Record<string, string> = {};
  const tids = readdirSync(`${procRoot}/${pid}/task`).map(Number);
  for (const tid of [pid, ...vcpuTids]) {
    for (const line of readFileSync(`${procRoot}/${pid}/task/${tid}/cgroup`, "utf8").split("\n")) {
      const [, controller, group] = line.split(":");
      if (controller !== "cpu" && controller !== "cpuset") continue;
      const files = controller === "cpu" ? CONTROL_FILES : ["cpuset.cpus", "cpuset.mems"];
      for (const dir of [group ?? "", path.dirname(group ?? "")]) {
        for (const file of files) {
          const name = path.join("/sys/fs/cgroup", controller, dir, file);
          state[name] = readFileSync(name, "utf8");
        }
      }
    }
  }
  for (const tid of tids) {
    const status = readFileSync(`${procRoot}/${pid}/task/${tid}/status`, "utf8");
    state[`affinity ${tid}`] = /Cpus_allowed_list:\t(.*)/.exec(status)?.[1] ?? "";
  }
  return state;
}
