/**
 * The chaos test: servers and networks fail by a schedule from a seed, while hosts sample and obey, and all that must hold is checked
 * at every plan that comes and once a second in Redis.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { planSchema } from "@kvm-governor/policy";
import { Readiness, connectBus, createLogger } from "@kvm-governor/service-kit";
import type { Bus, PlanEntry } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { Seeded } from "../support/seeded.ts";
import { waitFor } from "../support/service-process.ts";
import { KINDS } from "./faults.ts";
import type { Fault } from "./faults.ts";
import { HostJudge } from "./host-judge.ts";
import type { Violation } from "./host-judge.ts";
import type { HostMessage } from "./messages.ts";
import { Primary } from "./primary.ts";
import { RecoveryWatch } from "./recovery.ts";
import type { Recovery } from "./recovery.ts";
import type { Step } from "./schedule.ts";
import { PASSWORD, urlOf } from "./servers.ts";
import { setStage } from "./stage.ts";
import type { Stage, StageOptions } from "./stage.ts";
import { StoreJudge } from "./store-judge.ts";
import type { LostTicks } from "./store-judge.ts";

export interface ChaosReport {
  violations: readonly Violation[];
  recoveries: readonly Recovery[];
  lost: readonly LostTicks[];
  /** Samples that the stream has. */
  samples: number;
  /** Samples and old samples that were published once more. */
  repeated: number;
  /** Plans that actuators accepted. */
  plans: number;
  /** Times that a host went back to its baseline, because no plan came in time. */
  expired: number;
  /** States of hosts that were read from Redis and judged. */
  reads: number;
}

export interface ChaosOptions extends StageOptions {
  log: (line: string) => void;
}

/** Kind of a recovery from two faults of different layers. */
export const TWO_AT_ONCE = "two at once";
const START_MS_MAX = 60_000;
const RECOVERY_MS_MAX = 60_000;
const LOOK_EVERY_MS = 500;
/** What the hosts said before something was seen is heard by then. */
const HEARSAY_MS = 250;
const VIOLATIONS_MAX = 200;

export class Chaos {
  readonly #options: ChaosOptions;
  readonly #judges = new Map<string, HostJudge>();
  readonly #violations: Violation[] = [];
  readonly #recoveries: Recovery[] = [];
  readonly #watches = new Set<RecoveryWatch>();
  readonly #uuids = new Map<string, string[]>();
  readonly #random: Seeded;
  readonly #stop = new AbortController();
  #stage: Stage | undefined;
  #bus: Bus | undefined;
  #primary: Primary | undefined;
  readonly #store = new StoreJudge();
  #looking: Promise<void> = Promise.resolve();
  /** Of what looks into Redis. */
  #failure: Error | undefined;
  #samples = 0;
  #repeated = 0;
  #expired = 0;

  constructor(options: ChaosOptions) {
    this.#options = options;
    this.#random = new Seeded(options.seed);
  }

  /** Sets the stage, and waits until every host is governed. */
  async begin(): Promise<void> {
    const stage = await setStage(this.#options, (message) => this.#hear(message));
    this.#stage = stage;
    this.#bus = connectBus({
      url: urlOf("nats", stage.nats),
      user: "lab",
      password: PASSWORD,
      name: "chaos",
      log: createLogger("chaos", "silent"),
      readiness: new Readiness(),
      registry: new Registry(),
    });
    void this.#bus.plans.watchAll(
      this.#stop.signal,
      (entry) => this.#inBucket(entry),
      () => undefined,
    );
    this.#primary = new Primary(stage.watched.sentinels);
    await waitFor("a plan at each host", START_MS_MAX, () =>
      [...stage.hosts.keys()].every((host) => (this.#judges.get(host)?.plans ?? 0) > 0) ? true : undefined,
    );
    this.#looking = this.#look().catch((error: unknown) => {
      this.#failure = error as Error;
    });
  }

  /** Strikes, heals, and waits until every host has a plan again. */
  async step({ faults, quiet }: Step): Promise<void> {
    const stage = this.#needStage();
    const struck: { fault: Fault; watch: RecoveryWatch; seconds: number }[] = [];
    try {
      for (const { kind, seconds } of faults) {
        const fault = { kind, ...(await KINDS[kind].prepare(stage, this.#random)) };
        const watch = this.#watch(stage.hosts.keys());
        struck.push({ fault, watch, seconds });
        await fault.strike();
        this.#options.log(`${kind}: ${fault.target}, for ${seconds.toFixed(1)} s`);
      }
      await sleep(1000 * Math.max(...struck.map(({ seconds }) => seconds)));
    } finally {
      for (const { fault } of struck) await fault.heal();
    }
    const healed = this.#watch(stage.hosts.keys());
    // What two did together is told of neither.
    const alone = struck.length === 1 ? undefined : TWO_AT_ONCE;
    for (const { fault, watch } of struck)
      await this.#recovered(stage, alone === undefined ? fault : { ...fault, kind: alone }, {
        watch,
        healed,
      });
    this.#watches.delete(healed);
    await sleep(quiet * 1000);
  }

  /** Judges a last time, with nothing in the way. */
  async end(): Promise<ChaosReport> {
    const stage = this.#needStage();
    if (this.#failure !== undefined) throw this.#failure;
    const last = this.#watch(stage.hosts.keys());
    await this.#wait("a last plan at each host", last);
    const judges = [...this.#judges.values()];
    await waitFor("Redis to be whole", RECOVERY_MS_MAX, () =>
      this.#store.lost.every(({ healedAfterTicks }) => healedAfterTicks !== undefined) ? true : undefined,
    ).catch((error: unknown) => judges[0]?.wrong("healed", (error as Error).message));
    return {
      violations: this.#violations,
      recoveries: this.#recoveries,
      lost: this.#store.lost,
      samples: this.#samples,
      repeated: this.#repeated,
      plans: judges.reduce((sum, { plans }) => sum + plans, 0),
      expired: this.#expired,
      reads: this.#store.reads,
    };
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#looking;
    this.#primary?.close();
    await this.#bus?.close();
    await this.#stage?.stop();
  }

  /** Lines of the classifiers' logs from warnings up, for whoever looks for a cause. */
  get warnings(): string[] {
    return (this.#stage?.classifiers ?? []).flatMap(({ place, process }) =>
      process.log
        .filter(({ level }) => level === "warn" || level === "error")
        .map(({ msg }) => `${place.name}: ${msg}`),
    );
  }

  #needStage(): Stage {
    if (this.#stage === undefined) throw new Error("the stage is not set");
    return this.#stage;
  }

  #watch(hosts: Iterable<string>): RecoveryWatch {
    const watch = new RecoveryWatch(performance.now(), hosts);
    this.#watches.add(watch);
    return watch;
  }

  async #recovered(
    stage: Stage,
    fault: Omit<Fault, "kind"> & { kind: string },
    { watch, healed }: { watch: RecoveryWatch; healed: RecoveryWatch },
  ): Promise<void> {
    const { cutGroup, kind, target } = fault;
    await this.#wait(`a plan at each host after "${kind}"`, healed);
    this.#watches.delete(watch);
    const isCut = (host: string): boolean => cutGroup !== undefined && stage.hosts.get(host) === cutGroup;
    const { tookMs } = cutGroup === undefined ? watch : healed;
    const own = cutGroup === undefined ? [...tookMs] : [...tookMs].filter(([host]) => isCut(host));
    const recovery = { kind, target, hostsMs: new Map(own) };
    this.#recoveries.push(recovery);
    const worst = Math.max(...recovery.hostsMs.values());
    this.#options.log(
      `  next plan at all hosts after ${(worst / this.#options.periodMs).toFixed(2)} periods`,
    );
  }

  async #wait(what: string, watch: RecoveryWatch): Promise<void> {
    try {
      await waitFor(what, RECOVERY_MS_MAX, () => (watch.isOver ? true : undefined));
    } catch (cause) {
      throw new Error(`${what}: none at ${watch.waiting.join(", ")}`, { cause });
    }
  }

  #hear(message: HostMessage): void {
    if (message.kind === "failed") return;
    const judge = this.#judge(message.host);
    switch (message.kind) {
      case "sampled":
        this.#uuids.set(message.host, Object.keys(message.wants));
        return judge.sampled(message.sequence, message.wants, performance.now());
      case "stored":
        this.#samples++;
        return judge.ledger.stored(message.sequence);
      case "repeated":
        this.#repeated++;
        return;
      case "expired":
        this.#expired++;
        return;
      case "plan": {
        judge.arrived(message.plan);
        const sampledAtMs = judge.ledger.sampledAtMs(message.plan.sequence);
        for (const watch of this.#watches) watch.plan(message.host, sampledAtMs, performance.now());
      }
    }
  }

  #judge(host: string): HostJudge {
    const { beta, planTtlMs } = this.#options;
    const judge =
      this.#judges.get(host) ??
      new HostJudge(host, { beta, planTtlUs: planTtlMs * 1000 }, (violation) => this.#violated(violation));
    this.#judges.set(host, judge);
    return judge;
  }

  #violated(violation: Violation): void {
    if (this.#violations.length >= VIOLATIONS_MAX) return;
    this.#violations.push(violation);
    this.#options.log(
      `VIOLATION ${violation.invariant} at ${violation.host}: ${violation.text.slice(0, 400)}`,
    );
  }

  #inBucket({ host, data }: PlanEntry): void {
    const { generation, sequence, guests } = planSchema.parse(JSON.parse(new TextDecoder().decode(data)));
    const seen = guests.map(({ uuid, class: list, count }) => [uuid, { class: list, count }] as const);
    const plan = { generation, sequence, guests: Object.fromEntries(seen) };
    setTimeout(() => this.#judge(host).inBucket(plan), HEARSAY_MS);
  }

  async #look(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const redis = await this.#primary?.find();
      // Away: what it holds is judged when it is back.
      if (redis !== undefined)
        await Promise.all(
          [...this.#judges].map(([host, judge]) =>
            this.#store.look(redis, host, this.#uuids.get(host) ?? [], judge),
          ),
        );
      await sleep(LOOK_EVERY_MS, undefined, { signal: this.#stop.signal }).catch(() => undefined);
    }
  }
}
