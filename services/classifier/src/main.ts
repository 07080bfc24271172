/** The classifier: decides from samples which list each guest is in and what it may have, for a whole fleet. */
import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import type { Settings } from "@kvm-governor/policy";
import {
  ConfigError,
  connectBus,
  exposeBuildInfo,
  exposeTraces,
  LAST_OF_EACH_HOST,
  runService,
  startPages,
  untilAborted,
  Readiness,
} from "@kvm-governor/service-kit";
import type { Logger, SharedWork } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import manifest from "../package.json" with { type: "json" };
import { Announcer } from "./announce.ts";
import { addApi } from "./api.ts";
import { addConsole } from "./console-pages.ts";
import { ClassifierFacts } from "./console-source.ts";
import { readConfig } from "./config.ts";
import type { ClassifierConfig } from "./config.ts";
import { exposeRefusedPages } from "./discovery.ts";
import { connectFacts } from "./facts/connect.ts";
import { FleetFacts } from "./fleet-facts.ts";
import { BusClock, Forgetting } from "./forgetting.ts";
import { registerGuestMetrics } from "./guest-metrics.ts";
import { History } from "./history.ts";
import { exposeConflicts, HostIds } from "./host-ids.ts";
import { createMetrics, exposeConsole } from "./metrics.ts";
import type { ClassifierMetrics } from "./metrics.ts";
import { Migrations } from "./migrations.ts";
import { exposeProcess } from "./process-metrics.ts";
import { Refusals } from "./refusal.ts";
import { OwnHosts } from "./own-hosts.ts";
import { onApplied, onHost } from "./report-loops.ts";
import { SampleLoop } from "./sample-loop.ts";
import { SeriesStore } from "./series/series.ts";
import { RedisConnection } from "./store/redis-connection.ts";
import { RedisGuestPlaces } from "./store/redis-guest-places.ts";
import { RedisStore } from "./store/redis-store.ts";
import { Ticker } from "./ticker.ts";
import { Topologies } from "./topologies.ts";
import { Views } from "./views.ts";

/** How often hosts that are gone are looked for. */
const FORGET_EVERY_MS = 600_000;

await runService("classifier", async ({ log, signal, onReload, traces }) => {
  const config = readConfig(process.env);
  log.level = config.logLevel;
  const registry = new Registry();
  exposeProcess(registry);
  exposeBuildInfo(registry, manifest);
  const readiness = new Readiness();
  const metrics = createMetrics(registry);
  exposeTraces(registry, traces);
  const { tracing } = traces;
  const settings = reloadableSettings(config, log, metrics, onReload);

  const redis = new RedisConnection({
    config,
    log,
    readiness,
    registry,
  });
  const bus = connectBus({
    url: config.natsUrl,
    user: config.natsUser,
    password: config.natsPassword,
    tls: config.natsTls,
    name: "classifier",
    manage: true,
    streams: config.streams,
    log,
    readiness,
    registry,
    tracing,
  });
  const store = new RedisStore(redis.redis);
  const views = new Views(Date.now);
  const history = new History(Date.now);
  const series = new SeriesStore(Date.now, config.consoleGuests);
  registerGuestMetrics(registry, views, log);
  exposeRefusedPages(registry, views, config.isPageAllowed);
  const ownHosts = new OwnHosts();
  const topologies = new Topologies();
  const announcer = new Announcer(log, metrics);
  const now = (): number => performance.now();
  const hostIds = new HostIds(log, now);
  exposeConflicts(registry, hostIds);
  const places = new RedisGuestPlaces(redis.redis);
  const ticker = new Ticker({
    store,
    plans: bus.plans,
    settings,
    topologyOf: (sample) => topologies.of(sample),
    metrics,
    log,
    tracing,
    migrations: new Migrations({ places, store, metrics, log }),
    committed: (sample, plan, report, before) => {
      announcer.decided(sample, plan, report, before);
      // Of a host that went to another classifier while this was in work, that one speaks.
      if (!ownHosts.has(sample.host)) return;
      views.decided(sample, plan, report);
      history.decided(plan, report, before);
      series.decided(sample, plan, report);
    },
  });
  const onConsoleError = (what: string, error: unknown): void =>
    log.error({ event: "console-failed", what, err: error }, `console: ${what}: ${(error as Error).message}`);
  const self = randomBytes(6).toString("hex");
  // Before the work is shared nobody is known.
  const work: { shared?: SharedWork } = {};
  const { others, leave } = connectFacts({
    bus,
    self,
    members: () => work.shared?.members,
    views,
    history,
    series,
    settings,
    registry,
    log,
    keptMax: config.consoleStreams,
  });
  const source = new ClassifierFacts({
    views,
    history,
    series,
    others,
    store,
    readiness,
    settings,
    now: Date.now,
    onError: (error) => onConsoleError("hosts of the store", error),
  });
  const pages = await startPages({
    listen: config.listen,
    webConfigFile: config.webConfigFile,
    title: "kvm-governor classifier",
    registry,
    readiness,
    log,
    links: {
      "/console/": "the console: fleet, hosts and guests, live",
      "/api/v1/hosts": "hosts, their lists and plans (JSON)",
    },
    routes: (app) => {
      const facts = new FleetFacts({ views, history, others, now: Date.now });
      addApi(app, { store, views, facts, hostIds, isPageAllowed: config.isPageAllowed });
      const options = { source, streamsMax: config.consoleStreams, onError: onConsoleError };
      const console = addConsole(app, options);
      exposeConsole(registry, () => console.stats);
    },
  });

  const refusals = new Refusals({ log, metrics, now, setAside: bus.setAside.bind(bus) });
  const loop = new SampleLoop({
    ticker,
    refusals,
    metrics,
    log,
    signal,
    now,
    tracing,
    planTtlMs: () => settings().planTtlMs,
    onDuplicateHost: (error) => hostIds.duplicate(error),
  });
  const busClock = new BusClock();
  const forgetting = new Forgetting({
    store,
    places,
    forgetHostMs: config.forgetHostMs,
    busNowMs: () => busClock.now(now()),
    metrics,
    log,
    forgotten: (host) => {
      ticker.forget((other) => other === host);
      hostIds.forget(host);
    },
  });
  const looks = setInterval(() => void forgetting.look(), FORGET_EVERY_MS);
  const reports = { views, topologies, hostIds, history, ticker, refusals, metrics, tracing };
  // All classifiers share the samples and reports, and with them the hosts; what hosts there are, each knows by itself.
  const takeApplied = onApplied(reports);
  const shared = bus.share({
    self,
    silenceMs: config.silenceMs,
    checkPeriodMs: () => settings().checkPeriodMs,
    handlers: {
      sample: (message) => {
        ownHosts.heard(message);
        busClock.heard(message.storedAtMs, now());
        return loop.offer(message);
      },
      applied: (message) => {
        ownHosts.heard(message);
        return takeApplied(message);
      },
    },
    released: (partitions) => {
      const isGone = ownHosts.release(partitions);
      for (const memory of [ticker, views, history, series, announcer]) memory.forget(isGone);
    },
  });
  work.shared = shared;
  const announcements = bus.consume("host", LAST_OF_EACH_HOST, signal, onHost(reports));

  await untilAborted(signal);
  clearInterval(looks);
  shared.pause();
  leave();
  await loop.stopped();
  await shared.stop();
  await pages.close();
  await bus.close();
  await announcements;
  redis.close();
});

/** The settings in force: read again at SIGHUP; a configuration that cannot be used changes nothing. */
function reloadableSettings(
  config: ClassifierConfig,
  log: Logger,
  metrics: ClassifierMetrics,
  onReload: (reload: () => void) => void,
): () => Settings {
  let { settings } = config;
  onReload(() => {
    try {
      const fresh = readConfig(process.env);
      settings = fresh.settings;
      log.level = fresh.logLevel;
      metrics.reloaded(true);
      log.info(
        { event: "reloaded", settings },
        "settings and log level read again; other keys need a restart",
      );
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      metrics.reloaded(false);
      log.error({ event: "reload-refused", err: error }, `${error.message}; the old settings stay in force`);
    }
  });
  return () => settings;
}
