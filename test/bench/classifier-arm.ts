/** Classifier processes on a NATS and a Redis of their own, under the load of simulated hosts. */
import { readFileSync, readdirSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { SimFleet } from "../../packages/cli/src/simulate/fleet.ts";
import { Latencies } from "../../packages/cli/src/simulate/latencies.ts";
import { makeHosts } from "../../packages/cli/src/simulate/make-hosts.ts";
import { syntheticSeries } from "../../packages/cli/src/simulate/demand.ts";
import { nodeFlags } from "../../packages/cli/src/supervisor/node-flags.ts";
import { seededRandom } from "../../packages/cli/src/demo/random.ts";
import type { SimHost } from "../../packages/cli/src/simulate/sim-host.ts";
import { ControlPlane } from "../support/control-plane.ts";
import { waitFor } from "../support/service-process.ts";
import type { ServiceProcess } from "../support/service-process.ts";
import type { Arm, Figures } from "./harness.ts";

export const GUESTS = 50;
const VCPUS = 4;
const CPUS = 64;
const SEED = 7;
/** As deploy/redis/redis.conf; the lab's own server writes every commit to the disk at once. */
const REDIS_CONFIG = "appendfsync everysec";
/**
 * Of each classifier, before a steady load counts, and how fast they come. Code that ran a few hundred times is not compiled yet as it
 * is for weeks afterwards: four classifiers that share what one has would be compared at a younger age.
 */
const WARM_UP_TICKS = 1000;
const WARM_UP_PERIOD_MS = 250;

export interface LoadOptions {
  classifiers: number;
  hosts: number;
  periodMs: number;
  measuredMs: number;
  isAlone?: boolean;
}

/** A steady load, each host once a period. */
export class ClassifierArm implements Arm {
  readonly name: string;
  readonly isAlone: boolean;
  /** Of an arm that is alone. */
  readonly rounds = 1;
  protected readonly options: LoadOptions;
  protected hosts: SimHost[] = [];
  protected running: ServiceProcess[] = [];
  #plane: ControlPlane | undefined;
  #fleet: SimFleet | undefined;

  constructor(name: string, options: LoadOptions) {
    this.name = name;
    this.options = options;
    this.isAlone = options.isAlone ?? false;
  }

  protected get plane(): ControlPlane {
    if (this.#plane === undefined) throw new Error("not set up");
    return this.#plane;
  }

  async setUp(): Promise<void> {
    const { classifiers, hosts, periodMs } = this.options;
    const plane = await ControlPlane.start({}, REDIS_CONFIG);
    this.#plane = plane;
    const env = {
      KVMGOV_CHECK_PERIOD_MS: String(periodMs),
      KVMGOV_PLAN_TTL_MS: String(Math.max(10_000, 3 * periodMs)),
      // As it is deployed.
      NODE_OPTIONS: nodeFlags("classifier").join(" "),
      // As much as a fleet of this size is given in operation: docs/operations.md.
      KVMGOV_STREAM_BYTES_MAX: String(512 * 1024 * 1024),
      // What waits while a classifier stands still must not be gone before it is worked off.
      KVMGOV_SAMPLE_AGE_MS: "900000",
    };
    for (let n = 0; n < classifiers; n++) this.running.push(await plane.classifier(env));
    this.hosts = makeHosts({
      hosts,
      guests: GUESTS,
      vcpus: VCPUS,
      cpus: CPUS,
      seed: SEED,
      speed: 1,
      series: syntheticSeries(seededRandom(SEED)),
    });
    await waitFor("all partitions", 30_000, async () => {
      const held = await Promise.all(this.running.map((one) => one.metric("kvmgov_partitions")));
      return plane.bus.up && held.every((parts) => (parts ?? 0) > 0 && (parts ?? 0) <= 33 / classifiers + 1)
        ? true
        : undefined;
    });
  }

  async measure(): Promise<Figures> {
    const { periodMs, measuredMs } = this.options;
    if (this.#fleet === undefined) {
      this.#fleet = await this.#startFleet();
      // The first tick of a host is dear: nothing is known of it, and everything is written.
      await sleep(1.2 * periodMs + 1000);
    } else {
      this.#fleet.resume();
      await sleep(1000);
    }
    const fleet = this.#fleet;
    const from = { ...this.spent(), plans: fleet.counts.plansReceived, errors: fleet.counts.errors };
    fleet.latencies = new Latencies();
    const fromMs = performance.now();
    await sleep(measuredMs);
    const seconds = (performance.now() - fromMs) / 1000;
    const to = this.spent();
    const ticks = fleet.counts.plansReceived - from.plans;
    const { latencies, counts } = fleet;
    fleet.pause();
    if (ticks === 0) throw new Error(`no plan came: ${fleet.lastError?.message ?? "and no error"}`);
    return {
      ticks_per_s: ticks / seconds,
      wanted_ticks_per_s: (this.hosts.length * 1000) / periodMs,
      ...this.perTick(from, to, ticks),
      part_of_a_core: (to.classifiers - from.classifiers) / (seconds * 1000),
      sample_to_plan_p50_ms: latencies.quantile(0.5) ?? -1,
      sample_to_plan_p99_ms: latencies.quantile(0.99) ?? -1,
      rss_mb: Math.max(...this.running.map(({ pid }) => rssMbOf(pid))),
      errors: counts.errors - from.errors,
      conflicts: await this.#conflicts(),
    };
  }

  async #startFleet(): Promise<SimFleet> {
    const { classifiers, periodMs, isAlone } = this.options;
    const load = { bus: this.plane.bus, hosts: this.hosts, periodMs };
    const fleet = new SimFleet(load);
    if (isAlone !== true) load.periodMs = WARM_UP_PERIOD_MS;
    fleet.start();
    if (isAlone === true) return fleet;
    await waitFor("ticks to warm up", 120_000, () =>
      fleet.counts.plansReceived >= WARM_UP_TICKS * classifiers ? true : undefined,
    );
    fleet.pause();
    load.periodMs = periodMs;
    fleet.resume();
    return fleet;
  }

  async tearDown(): Promise<void> {
    await this.#fleet?.stop();
    await this.#plane?.stop();
  }

  /** CPU time of the parts so far, in milliseconds. */
  protected spent(): { classifiers: number; nats: number; redis: number } {
    return {
      classifiers: this.running.reduce((sum, { pid }) => sum + cpuMsOf(pid), 0),
      nats: cpuMsOf(this.plane.nats.server.pid),
      redis: cpuMsOf(this.plane.redisServer.server.pid),
    };
  }

  protected perTick(
    from: { classifiers: number; nats: number; redis: number },
    to: { classifiers: number; nats: number; redis: number },
    ticks: number,
  ): Figures {
    return {
      cpu_us_per_tick: ((to.classifiers - from.classifiers) * 1000) / ticks,
      nats_cpu_us_per_tick: ((to.nats - from.nats) * 1000) / ticks,
      redis_cpu_us_per_tick: ((to.redis - from.redis) * 1000) / ticks,
    };
  }

  async #conflicts(): Promise<number> {
    const counts = await Promise.all(this.running.map((one) => one.metric("kvmgov_commit_conflicts_total")));
    return counts.reduce<number>((sum, count) => sum + (count ?? 0), 0);
  }
}

/** CPU time of all threads, in milliseconds. Threads do not end here, so that nothing is lost. */
export function cpuMsOf(pid: number): number {
  return readdirSync(`/proc/${pid}/task`)
    .map((tid) => Number(readFileSync(`/proc/${pid}/task/${tid}/schedstat`, "latin1").split(" ")[0]) / 1e6)
    .reduce((sum, ms) => sum + ms, 0);
}

export function rssMbOf(pid: number): number {
  const kb = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, "latin1"))?.[1];
  return Number(kb) / 1000;
}
