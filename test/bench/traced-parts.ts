/** The three parts of a tick as they run in the services, one tick at a time, on a real bus and a real store. */
import { randomBytes } from "node:crypto";
import { startTimeOf, type Guest, type GuestReading } from "@kvm-governor/linux";
import { presetSettings, type Declared, type GuestPlan, type Sample } from "@kvm-governor/policy";
import { connectBus, createLogger, Readiness, type Bus, type Tracing } from "@kvm-governor/service-kit";
import { Redis } from "ioredis";
import { Registry } from "prom-client";
import { createMetrics } from "../../services/classifier/src/metrics.ts";
import { Refusals } from "../../services/classifier/src/refusal.ts";
import { SampleLoop } from "../../services/classifier/src/sample-loop.ts";
import { RedisStore } from "../../services/classifier/src/store/redis-store.ts";
import { testMessage } from "../../services/classifier/src/testing/messages.ts";
import { guestSample, sampleOf } from "../../services/classifier/src/testing/samples.ts";
import { Ticker } from "../../services/classifier/src/ticker.ts";
import { Collector } from "../../services/collector/src/collector.ts";
import { startMeasuring, type Measuring } from "../../services/collector/src/measuring.ts";
import { createOwnMetrics } from "../../services/collector/src/metrics/own-metrics.ts";
import { SamplePublisher } from "../../services/collector/src/sample-publisher.ts";
import { InProcessActuator } from "../support/in-process-actuator.ts";
import { startVmm } from "../support/light-vmm.ts";
import { startThreadFarm } from "../support/thread-farm.ts";
import { scientificPlan } from "./bench-plan.ts";

export type PartName = "collector" | "classifier" | "actuator";

/** One part, ready to work. */
export interface Part {
  /** Does one tick. Resolves when all of it is done, what it sends included. */
  tick(): Promise<void>;
  stop(): Promise<void>;
}

export interface PartOptions {
  nats: { url: string; user: string; password: string };
  redis: string;
  tracing: Tracing;
  /** Part of the ticks before this part that were sampled; undefined where nothing was traced. */
  ratio: number | undefined;
  /** Of its own: parts of other arms use the same servers. */
  host: string;
}

const GUESTS = 10;
const VCPUS = 4;
const log = createLogger("bench", "silent");
const NO_CHANGES = { arrived: [], departed: [], restarted: [], changed: [], unreadable: [] };
const auto: Declared = { class: "auto" };

export function startPart(name: PartName, options: PartOptions): Promise<Part> {
  const start = { collector: startCollector, classifier: startClassifier, actuator: startActuator }[name];
  return start(options);
}

function openBus({ nats: { url, user, password }, tracing, host }: PartOptions): Bus {
  const readiness = new Readiness();
  return connectBus({ url, user, password, name: host, log, readiness, registry: new Registry(), tracing });
}

async function connected(bus: Bus): Promise<void> {
  while (!bus.up) await new Promise((resolve) => setTimeout(resolve, 20));
}

/** As the part before would send it: a trace of its own for each tick. */
function traceparentOf(ratio: number | undefined): string | undefined {
  if (ratio === undefined) return undefined;
  const flags = Math.random() < ratio ? "01" : "00";
  return `00-${randomBytes(16).toString("hex")}-${randomBytes(8).toString("hex")}-${flags}`;
}

/** Real threads; discovery of what else runs on this machine is left out. */
async function startCollector(options: PartOptions): Promise<Part> {
  const bus = openBus(options);
  const farm = await startThreadFarm({ threads: GUESTS * VCPUS, wakeMs: 5 });
  const nowMs = (): number => performance.now();
  const real = startMeasuring({
    host: options.host,
    procRoot: "/proc",
    sysRoot: "/sys",
    libvirtRunDir: "/nonexistent",
    firstSightFile: "/nonexistent/first-sight.json",
    perf: true,
    nowMs,
  });
  const guests: Guest[] = Array.from({ length: GUESTS }, (_, at) => ({
    uuid: `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`,
    name: `bench-${at}`,
    source: "qemu",
    pid: farm.pid,
    startTime: 1,
    state: "running",
    vcpus: farm.tids.slice(at * VCPUS, (at + 1) * VCPUS).map((tid, index) => ({ index, tid })),
    ioThreads: [],
    emulatorTids: [],
  }));
  const inventory: { guests: Guest[]; unreadable: GuestReading["unreadable"] } = { guests, unreadable: [] };
  // Nothing comes and goes.
  const watcher: Partial<Measuring["watcher"]> = { refresh: () => NO_CHANGES, inventory, problems: [] };
  const measuring = { ...real, watcher: watcher as Measuring["watcher"] };
  let sent: ((error?: unknown) => void) | undefined;
  const publisher = new SamplePublisher({
    bus,
    nowMs,
    periodMs: 1000,
    onPublished: () => sent?.(),
    onDropped: (reason, error) => sent?.(error ?? new Error(reason)),
    tracing: options.tracing,
  });
  const metrics = createOwnMetrics({
    registry: new Registry(),
    budget: real.context.budget,
    isPerfAvailable: true,
  });
  const collector = new Collector({
    measuring,
    declarations: { of: () => auto } as unknown as ConstructorParameters<typeof Collector>[0]["declarations"],
    publisher,
    pageUrls: { isChanged: () => false },
    announcer: { tick: () => undefined },
    metrics,
    readiness: new Readiness(),
    log,
    nowMs,
    tracing: options.tracing,
  });
  await connected(bus);
  collector.tick(0);
  return {
    tick: () =>
      new Promise((resolve, reject) => {
        sent = (error) =>
          error === undefined ? resolve() : reject(new Error("no sample", { cause: error }));
        collector.tick(0);
      }),
    stop: async () => {
      await publisher.close();
      await bus.close();
      real.close();
      await farm.stop();
    },
  };
}

async function startClassifier(options: PartOptions): Promise<Part> {
  const bus = openBus(options);
  const redis = new Redis(options.redis);
  const metrics = createMetrics(new Registry());
  const settings = presetSettings("default");
  const stop = new AbortController();
  const { tracing, host } = options;
  const ticker = new Ticker({
    store: new RedisStore(redis),
    plans: bus.plans,
    settings: () => settings,
    topologyOf: () => undefined,
    metrics,
    log,
    committed: () => undefined,
    tracing,
  });
  const loop = new SampleLoop({
    onDuplicateHost: () => undefined,
    ticker,
    refusals: new Refusals({ log, metrics, now: () => performance.now(), setAside: () => undefined }),
    metrics,
    log,
    signal: stop.signal,
    now: () => performance.now(),
    planTtlMs: () => settings.planTtlMs,
    tracing,
  });
  await connected(bus);
  let at = 0;
  return {
    tick: () => {
      const body = Buffer.from(JSON.stringify(varied(host, ++at)));
      const message = testMessage(host, body);
      return new Promise((resolve, reject) => {
        void loop.offer({
          ...message,
          traceparent: traceparentOf(options.ratio),
          ack: resolve,
          nak: () => reject(new Error("given back")),
          term: (reason) => reject(new Error(reason)),
        });
      });
    },
    stop: async () => {
      stop.abort();
      await loop.stopped();
      redis.disconnect();
      await bus.close();
    },
  };
}

/** Use varies, so that each tick has something to commit. */
function varied(host: string, tick: number): Sample {
  const guests = Array.from({ length: GUESTS }, (_, n) =>
    guestSample(n, { run: n % 5 === 0 ? 0.95 : 0.2 + 0.1 * ((tick + n) % 3), vcpus: VCPUS }),
  );
  return sampleOf(host, tick, guests);
}

/** Plans that change nothing: every tick compares each value with the kernel's. */
async function startActuator(options: PartOptions): Promise<Part> {
  const bus = openBus(options);
  const vmms = await Promise.all(Array.from({ length: GUESTS }, () => startVmm(VCPUS)));
  const guests: Guest[] = vmms.map(({ pid, tids }, at) => ({
    uuid: `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`,
    name: `bench-${at}`,
    source: "qemu",
    pid,
    startTime: startTimeOf("/proc", pid) ?? 0,
    state: "running",
    vcpus: tids.filter((tid) => tid !== pid).map((tid, index) => ({ index, tid })),
    ioThreads: [],
    emulatorTids: [pid],
  }));
  const { tracing } = options;
  let sent: (() => void) | undefined;
  const actuator = new InProcessActuator({
    guests: () => guests,
    tracing,
    publish: async (applied) => {
      await bus.publish("applied", options.host, { ...applied, host: options.host });
      sent?.();
    },
  });
  const plans = guests.map(planOf);
  await connected(bus);
  await actuator.actuator.turn();
  return {
    tick: async () => {
      const traceparent = traceparentOf(options.ratio);
      const plan = { ...actuator.plan(plans, { generation: 1 }), traceparent };
      const isSent = new Promise<void>((resolve) => (sent = resolve));
      await actuator.actuator.receive(Buffer.from(JSON.stringify(plan)));
      await isSent;
    },
    stop: async () => {
      await actuator[Symbol.asyncDispose]();
      await bus.close();
      await Promise.all(vmms.map((vmm) => vmm.stop()));
    },
  };
}

function planOf(guest: Guest): GuestPlan {
  return scientificPlan(guest, {
    vcpus: guest.vcpus.map(({ index }) => ({ index, bandwidth: "baseline", cpus: [0] })),
    weight: "baseline",
    emulatorCpus: [1],
  });
}
