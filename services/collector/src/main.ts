/** The collector: measures the guests of one host, shows them to Prometheus, and publishes a sample every T_check. */
import { join } from "node:path";
import { bootTimeUs, DirectoryWatch } from "@kvm-governor/linux";
import { inboxPrefixOf } from "@kvm-governor/policy";
import {
  ConfigError,
  connectBus,
  exposeBuildInfo,
  exposeTraces,
  PageRegistry,
  Readiness,
  runService,
  startPages,
  untilAborted,
  type Bus,
  type Logger,
  type Tracing,
} from "@kvm-governor/service-kit";
import manifest from "../package.json" with { type: "json" };
import { Collector } from "./collector.ts";
import { readConfig, type CollectorConfig } from "./config.ts";
import { Declarations } from "./declarations.ts";
import { DiscoveryLoop } from "./discovery-loop.ts";
import { HostAnnouncer } from "./host-announcer.ts";
import { hostMessage } from "./host-message.ts";
import { startMeasuring, type Measuring } from "./measuring.ts";
import { registerGuestFamilies } from "./metrics/guest-families.ts";
import { registerHostFamilies } from "./metrics/host-families.ts";
import { createOwnMetrics, type OwnMetrics } from "./metrics/own-metrics.ts";
import { Outage } from "./outage.ts";
import { PageUrls } from "./page-urls.ts";
import { SamplePublisher } from "./sample-publisher.ts";
import { TickLoop, tickClock } from "./tick-loop.ts";

const HEARTBEAT_MS = 30_000;
/** Time of a scrape for voluntary and involuntary switches: about 450 vCPUs that have switched since. */
const SPLIT_MS_MAX = 4;

const nowMs = (): number => performance.now();
/** Goes on in suspend, so that a tick after it is seen as late. */
const bootTimeMs = (): number => bootTimeUs() / 1000;

await runService("collector", async ({ log, signal, onReload, traces }) => {
  const config = readConfig(process.env);
  log.level = config.logLevel;
  const declarations = new Declarations(config.policyFile);
  const measuring = startMeasuring({
    ...config,
    host: config.hostId,
    firstSightFile: join(config.runDir, "first-sight.json"),
    perf: config.perf === "auto",
    nowMs,
  });
  sayPerf(log, measuring);
  const registry = new PageRegistry(nowMs);
  const readiness = new Readiness();
  const metrics = createOwnMetrics({
    registry,
    budget: measuring.context.budget,
    isPerfAvailable: measuring.context.perfProblem === undefined,
  });
  exposeBuildInfo(registry, manifest);
  exposeTraces(registry, traces);
  const { tracing } = traces;
  onReload(() => {
    reload(declarations, metrics, log);
    reloadLogLevel(log);
  });
  metrics.policyFileOk.set(1);

  const bus = connectBus({
    url: config.natsUrl,
    user: config.natsUser,
    password: config.natsPassword,
    tls: config.natsTls,
    inboxPrefix: inboxPrefixOf(config.hostId),
    name: `collector ${config.hostId}`,
    log,
    readiness,
    registry,
    tracing,
  });
  const pages = await startPages({
    listen: config.listen,
    webConfigFile: config.webConfigFile,
    title: "kvm-governor collector",
    registry,
    readiness,
    log,
  });
  const publisher = startPublisher(bus, config, { metrics, log, tracing });
  const pageUrls = new PageUrls({ ...config, collector: pages.url });
  const announcer = startAnnouncer(bus, config, measuring, pageUrls, metrics);
  const collector = new Collector({
    measuring,
    declarations,
    publisher,
    announcer,
    pageUrls,
    metrics,
    readiness,
    log,
    nowMs,
    tracing,
  });
  registerFamilies(registry, collector, measuring, declarations, metrics);

  collector.tick(0);
  const ticks = startTicks(collector, config.checkPeriodMs, metrics);
  const stopDiscovery = startDiscovery(collector, measuring, config);
  await untilAborted(signal);
  ticks.stop();
  stopDiscovery();
  announcer.close();
  await publisher.close();
  await pages.close();
  await bus.close();
  measuring.close();
});

function sayPerf(log: Logger, { context }: Measuring): void {
  if (context.perfProblem === undefined) return;
  log.warn(
    { event: "perf-unavailable", reason: context.perfProblem },
    `context switches are read from /proc/TID/status: perf is not available: ${context.perfProblem}`,
  );
}

function reload(declarations: Declarations, metrics: OwnMetrics, log: Logger): void {
  const error = declarations.reload();
  metrics.policyFileOk.set(error === undefined ? 1 : 0);
  metrics.policyReloads.inc({ result: error === undefined ? "ok" : "refused" });
  if (error === undefined)
    log.info({ event: "policy-reloaded", rules: declarations.count }, "policy file read again");
  else log.error({ event: "policy-refused", err: error }, `${error.message}; the old rules stay in force`);
}

function reloadLogLevel(log: Logger): void {
  try {
    log.level = readConfig(process.env).logLevel;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error({ event: "reload-refused", err: error }, `${error.message}; log level ${log.level} stays`);
  }
}

function startPublisher(
  bus: Bus,
  config: CollectorConfig,
  { metrics, log, tracing }: { metrics: OwnMetrics; log: Logger; tracing: Tracing },
): SamplePublisher {
  const outage = new Outage();
  return new SamplePublisher({
    bus,
    nowMs,
    periodMs: config.checkPeriodMs,
    tracing,
    onPublished: (sample) => {
      metrics.published.inc();
      const dropped = outage.end();
      if (dropped > 0)
        log.info({ event: "samples-resumed", dropped, sequence: sample.sequence }, "samples arrive again");
    },
    onDropped: (reason, error) => {
      metrics.dropped.inc({ reason });
      if (!outage.add()) return;
      log.warn(
        { event: "samples-dropped", reason, err: error },
        `samples are dropped (${reason}); measuring goes on`,
      );
    },
  });
}

function startAnnouncer(
  bus: Bus,
  config: CollectorConfig,
  measuring: Measuring,
  pages: PageUrls,
  metrics: OwnMetrics,
): HostAnnouncer {
  const facts = {
    host: config.hostId,
    bootId: measuring.bootId,
    procRoot: config.procRoot,
    mounts: measuring.mounts,
    hasPerf: measuring.context.perfProblem === undefined,
    hasPsi: measuring.hostReader.noPressure === undefined,
  };
  return new HostAnnouncer({
    bus,
    describe: () => {
      const { topology } = measuring.topology.read();
      return hostMessage({ ...facts, metricsUrls: pages.read() }, topology, {
        wallTimeMs: Date.now(),
        bootTimeUs: bootTimeUs(),
      });
    },
    heartbeatMs: HEARTBEAT_MS,
    nowMs,
    onFailed: () => metrics.announceFailures.inc(),
  });
}

function registerFamilies(
  registry: PageRegistry,
  collector: Collector,
  measuring: Measuring,
  declarations: Declarations,
  metrics: OwnMetrics,
): void {
  const onError = (family: string): void => metrics.familyFailures.inc({ family });
  registerGuestFamilies({
    registry,
    guests: () => measuring.guests.last.readable,
    declare: (guest) => declarations.of(guest),
    readSwitchSplit: () =>
      metrics.splitPostponed.set(measuring.guests.readSwitchSplit(SPLIT_MS_MAX).postponed),
    onError,
  });
  registerHostFamilies({
    registry,
    host: () => collector.host,
    hostRun: () => collector.sample?.hostRun,
    sources: measuring.sources.states,
    onError,
  });
}

function startTicks(collector: Collector, periodMs: number, metrics: OwnMetrics): TickLoop {
  const loop = new TickLoop({
    periodMs,
    clock: tickClock(bootTimeMs),
    onTick: (lateMs) => collector.tick(lateMs),
    onMissed: (count) => metrics.ticksMissed.inc(count),
  });
  loop.start();
  return loop;
}

/** @returns the way to stop it */
function startDiscovery(
  collector: Collector,
  { watcher }: Measuring,
  { libvirtRunDir }: CollectorConfig,
): () => void {
  const watch = new DirectoryWatch(libvirtRunDir, () => loop.hear());
  const loop = new DiscoveryLoop({
    clock: tickClock(bootTimeMs),
    look: (unlessWithinMs) => collector.discoverUnless(unlessWithinMs),
    isOftenNeeded: () => !watch.ensure() || watcher.inventory.guests.some(({ source }) => source === "qemu"),
  });
  loop.start();
  return () => {
    loop.stop();
    watch.close();
  };
}
