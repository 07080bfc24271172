/** The actuator of one host: reads the environment, wires, starts, and gives everything back at the end. */
import {
  bootTimeUs,
  GuestWatcher,
  HoldingMark,
  HostLock,
  isSystemdHost,
  Journal,
  KERNEL_ROOTS,
  KernelIo,
  LiveProcesses,
  PolicyFile,
  readBootId,
  readCgroupMounts,
  restore,
  systemdNotifier,
  TopologyReader,
  writePageMark,
  type Guest,
} from "@kvm-governor/linux";
import { inboxPrefixOf } from "@kvm-governor/policy";
import {
  connectBus,
  exposeBuildInfo,
  exposeTraces,
  loadConfig,
  Readiness,
  runService,
  startPages,
} from "@kvm-governor/service-kit";
import type { Logger } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import manifest from "../package.json" with { type: "json" };
import { Actuator } from "./actuator.ts";
import { ChangeWatch } from "./change-watch.ts";
import { actuatorSchema, type ActuatorConfig } from "./config.ts";
import { exemptionOf } from "./exemption.ts";
import { createMetrics, exposeState, type ActuatorMetrics } from "./metrics.ts";
import { Operator } from "./operator.ts";
import { readOnlyReason, runBefore } from "./permission.ts";
import { runLoop } from "./run-loop.ts";
import { adoptableUntil, end, openAudit, report } from "./start-and-end.ts";

await runService("actuator", async ({ log, signal, onReload, traces }) => {
  let config = loadConfig(actuatorSchema, { env: process.env });
  log.level = config.logLevel;
  const bootId = readBootId(KERNEL_ROOTS.procRoot);
  const mounts = readCgroupMounts();
  const why = config.dryRun ? "dryRun is set" : readOnlyReason(mounts);
  if (why !== undefined) log.warn({ event: "dry-run", reason: why }, `nothing is written: ${why}`);
  const watcher = new GuestWatcher({ libvirtRunDir: config.libvirtRunDir, nowUs: bootTimeUs });
  const guests = () => {
    watcher.refresh();
    return watcher.inventory.guests;
  };
  const policy = new PolicyFile(config.policyFile);
  policy.read();
  const operator = new Operator(config.stateDir, log);
  const exemption = (guest: Guest) =>
    exemptionOf(guest, {
      rules: policy.rules,
      neverTouch: config.neverTouch,
      rollOutPercent: config.limits.rollOutPercent,
      handsOff: operator.last,
    });

  const registry = new Registry();
  exposeBuildInfo(registry, manifest);
  const metrics = createMetrics(registry);
  exposeTraces(registry, traces);
  const { tracing } = traces;
  using lock = why === undefined ? new HostLock(config.stateDir) : undefined;
  const audit = lock === undefined ? undefined : openAudit(config, log, metrics);
  const adoptedUntilUs = lock === undefined ? undefined : adoptableUntil(config, bootId, bootTimeUs());
  if (lock !== undefined && adoptedUntilUs === undefined) {
    const reason = "left by an earlier run of the actuator";
    report(log, await restore({ ...config, guests, lock, audit, reason }));
  }
  const journal = lock === undefined ? undefined : new Journal(config.stateDir, Date.now);
  journal?.attach(new HoldingMark(config.runDir, bootId));
  if (adoptedUntilUs !== undefined) {
    const held = journal?.size ?? 0;
    log.info({ event: "adopted", guests: held }, `goes on with ${held} guests that the run before left held`);
  }
  // Restoring and the dead-man's switch must not wait behind the guests: this thread runs before theirs, for a moment each time.
  if (why === undefined) runBefore(log);
  const io = new KernelIo(why === undefined ? "write" : "read");
  const processes = new LiveProcesses(KERNEL_ROOTS.procRoot);
  const topology = new TopologyReader(KERNEL_ROOTS.sysRoot);

  const readiness = new Readiness();
  const bus = connectBus({
    url: config.natsUrl,
    ...(config.natsUser !== undefined && { user: config.natsUser }),
    ...(config.natsPassword !== undefined && { password: config.natsPassword }),
    tls: config.natsTls,
    inboxPrefix: inboxPrefixOf(config.hostId),
    name: `actuator ${config.hostId}`,
    log,
    readiness,
    registry,
    tracing,
  });
  const actuator = new Actuator({
    host: config.hostId,
    processes,
    context: {
      io,
      roots: KERNEL_ROOTS,
      mounts,
      bootId,
      hasSystemd: isSystemdHost(),
      ...(journal !== undefined && { journal }),
      ...(audit !== undefined && { audit }),
      limits: () => config.limits,
      onlineCpus: () => topology.read().usable,
      nowMs: () => performance.now(),
      onDrift: () => config.onDrift,
      tracing,
    },
    lock,
    runDir: config.runDir,
    handsOff: () => operator.read(),
    adoptedUntilUs,
    nowUs: bootTimeUs,
    guests,
    exemption,
    planTtlMsMax: () => config.limits.planTtlMsMax,
    publish: (applied) => bus.publish("applied", config.hostId, applied),
    metrics,
    log,
  });
  exposeState(
    registry,
    {
      nowUs: bootTimeUs,
      plan: () => actuator.plan,
      guestsHeld: () => actuator.heldUuids,
      openFiles: () => io.openCount + processes.openCount,
      dryRun: why !== undefined,
    },
    (family, error) =>
      log.error({ event: "metric-failed", family, err: error }, `metric ${family} could not be collected`),
  );
  const pages = await startPages({
    listen: config.listen,
    webConfigFile: config.webConfigFile,
    title: "actuator",
    registry,
    readiness,
    log,
  });
  sayWhere(config.runDir, pages.url, log);
  onReload(() => {
    config = reload(config, policy, metrics, log);
  });

  const notify = systemdNotifier(process.env["NOTIFY_SOCKET"]);
  using changes = new ChangeWatch(config);
  await runLoop({ actuator, bus, host: config.hostId, signal, log, readiness, notify, changes });
  const isDone = await end(actuator, config, log);
  await pages.close();
  await bus.close();
  journal?.dispose();
  audit?.release();
  io.close();
  processes.close();
  watcher.close();
  if (!isDone) throw new Error("not every guest is as it was before; `kvmgov restore` tries again");
});

/** For the collector, which tells the fleet. Who cannot write there still does the rest. */
function sayWhere(runDir: string, url: string, log: Logger): void {
  try {
    writePageMark(runDir, url);
  } catch (error) {
    log.warn(
      { event: "page-unmarked", err: error },
      `Prometheus finds this page only where the collector's metricsUrls name it: ${(error as Error).message}`,
    );
  }
}

/** Policy, limits and lists can change while it runs; an invalid file keeps the old ones. */
function reload(
  config: ActuatorConfig,
  policy: PolicyFile,
  metrics: ActuatorMetrics,
  log: Logger,
): ActuatorConfig {
  try {
    const { limits, neverTouch, onDrift, onStop, logLevel } = loadConfig(actuatorSchema, {
      env: process.env,
    });
    policy.read();
    log.level = logLevel;
    metrics.reloaded(true);
    log.info(
      { event: "reloaded" },
      "policy file, limits, neverTouch, onDrift, onStop and log level read again; other keys need a restart",
    );
    return { ...config, limits, neverTouch, onDrift, onStop };
  } catch (error) {
    metrics.reloaded(false);
    log.error(
      { event: "reload-failed", err: error },
      `the old policy and limits stay: ${(error as Error).message}`,
    );
    return config;
  }
}
