/** The other end of the bus for the cases: a real NATS, plans made by hand, and what hosts publish. */
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { startNats, type NatsServer } from "@kvm-governor/lab";
import { appliedSchema, hostSchema, sampleSchema } from "@kvm-governor/policy";
import type { Applied, GuestPlan, Host, Plan, Sample } from "@kvm-governor/policy";
import { connectBus, createLogger, Readiness, type Bus } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { waitFor } from "../support/service-process.ts";
import type { CaseHost, CaseService, ServiceOptions } from "./case-host.ts";

/** No plan expires in the middle of a case: the longest time that an actuator grants by itself. */
const TTL_MS = 600_000;

/** Each case has a host id, and so a plan, of its own. */
export class Plane implements AsyncDisposable {
  readonly applied: Applied[] = [];
  readonly samples: Sample[] = [];
  readonly hosts: Host[] = [];
  readonly #dir: string;
  readonly #nats: NatsServer;
  readonly #bus: Bus;
  readonly #stop = new AbortController();

  private constructor(dir: string, nats: NatsServer, bus: Bus) {
    this.#dir = dir;
    this.#nats = nats;
    this.#bus = bus;
    const collect = (kind: "applied" | "sample" | "host", take: (value: unknown) => void): void => {
      void bus.consume(kind, "cases", this.#stop.signal, (message) => {
        take(JSON.parse(Buffer.from(message.data).toString()));
        message.ack();
      });
    };
    collect("applied", (value) => this.applied.push(appliedSchema.parse(value)));
    collect("sample", (value) => this.samples.push(sampleSchema.parse(value)));
    collect("host", (value) => this.hosts.push(hostSchema.parse(value)));
  }

  static async start(): Promise<Plane> {
    const dir = await mkdtemp(path.join(tmpdir(), `kvmgov-cases-${process.pid}-`));
    const nats = await startNats({ dir });
    const { url, user, password } = nats;
    const readiness = new Readiness();
    const log = createLogger("test", "silent");
    const common = { name: "cases", log, readiness, registry: new Registry(), manage: true };
    const bus = connectBus({ url, user, password, ...common });
    await waitFor("streams", 10_000, () => readiness.parts()["streams"]?.ok === true || undefined);
    return new Plane(dir, nats, bus);
  }

  /** One case on one host. */
  on(host: CaseHost): Governed {
    return new Governed(this, host);
  }

  env(host: CaseHost, id: string): Record<string, string> {
    const { url, user, password } = this.#nats;
    return {
      KVMGOV_HOST_ID: id,
      KVMGOV_NATS_URL: host.reach(url),
      KVMGOV_NATS_USER: user,
      KVMGOV_NATS_PASSWORD: password,
    };
  }

  /** Puts a plan in the place of the last one. */
  async put(plan: Plan): Promise<void> {
    const { revision } = (await this.#bus.plans.get(plan.host)) ?? { revision: 0 };
    await this.#bus.plans.put(plan.host, plan, revision);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#bus.close();
    await this.#nats.server.stop();
    await rm(this.#dir, { recursive: true, force: true });
  }
}

/** One host under the plans of one case. Whatever becomes of the case, its guests are given back at the end. */
export class Governed implements AsyncDisposable {
  readonly id = `case-${randomBytes(4).toString("hex")}`;
  readonly #plane: Plane;
  readonly #host: CaseHost;
  readonly #services: CaseService[] = [];
  #generation = 0;

  constructor(plane: Plane, host: CaseHost) {
    this.#plane = plane;
    this.#host = host;
  }

  /** What a host's services find this bus by. */
  environment(): Record<string, string> {
    return this.#plane.env(this.#host, this.id);
  }

  async service(
    name: "actuator" | "collector",
    env: Record<string, string> = {},
    options: ServiceOptions = {},
  ): Promise<CaseService> {
    const all = { ...this.environment(), ...env };
    const service = await this.#host.startService(name, this.id, all, options);
    this.#services.push(service);
    return service;
  }

  /** A plan of a new generation, good for `ttlMs`. */
  async plan(guests: GuestPlan[], ttlMs = TTL_MS): Promise<Plan> {
    const { bootId, bootTimeUs } = await this.#host.clock();
    const plan = { schema: 1 as const, host: this.id, bootId, generation: ++this.#generation, guests };
    return { ...plan, sequence: bootTimeUs, expiresAtUs: bootTimeUs + ttlMs * 1000, preset: "cases" };
  }

  /** The same generation for a newer sample. */
  async renewed(plan: Plan): Promise<Plan> {
    const { bootTimeUs } = await this.#host.clock();
    return { ...plan, sequence: bootTimeUs, expiresAtUs: bootTimeUs + TTL_MS * 1000 };
  }

  /** Puts a plan and waits for its report. */
  async follow(plan: Plan): Promise<Applied> {
    await this.#plane.put(plan);
    return waitFor(`report of generation ${plan.generation}`, 5000 * this.#host.patience, () =>
      this.#plane.applied.find(
        ({ host, sequence, switchFired }) =>
          host === this.id && sequence === plan.sequence && switchFired === undefined,
      ),
    );
  }

  kvmgov(...args: string[]): ReturnType<CaseHost["kvmgov"]> {
    return this.#host.kvmgov(this.id, args);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // An orderly end gives guests back as well, and costs no other process. What it cannot do is tried once more below.
    for (const service of this.#services) await service.stop().catch(() => service.kill());
    if (!(await this.#host.hasState(this.id, "journal"))) return; // nothing is held
    const { code, stdout, stderr } = await this.kvmgov("restore");
    if (code !== 0) throw new Error(`the guests were not given back: ${stdout}${stderr}`);
  }
}
