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
  PolicyFile,
  readBootId,
  readCgroupMounts,
  restore,
  type RestoreReport,
} from "@kvm-governor/linux";
import { connectBus, loadConfig, Readiness, runService, startPages } from "@kvm-governor/service-kit";
import type { Logger } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { Actuator } from "./actuator.ts";
import { actuatorSchema, type ActuatorConfig } from "./config.ts";
import { exemptionOf } from "./exemption.ts";
import { createMetrics, exposeState } from "./metrics.ts";
import { readOnlyReason, runBefore } from "./permission.ts";
import { runLoop } from "./run-loop.ts";

await runService("actuator", async ({ log, signal, onReload }) => {
  let config = loadConfig(actuatorSchema, { env: process.env });
  const bootId = readBootId(KERNEL_ROOTS.procRoot);
  const mounts = readCgroupMounts();
  const why = config.dryRun ? "dryRun is set" : readOnlyReason(mounts);
  if (why !== undefined) log.warn({ event: "dry-run", reason: why }, `nothing is written: ${why}`);
  const watcher = new GuestWatcher({ libvirtRunDir: config.libvirtRunDir });
  const guests = () => {
    watcher.refresh();
    return watcher.inventory.guests;
  };
  const policy = new PolicyFile(config.policyFile);
  policy.read();
  const exemption = (guest: Parameters<typeof exemptionOf>[0]) =>
    exemptionOf(guest, { rules: policy.rules, neverTouch: config.neverTouch });

  using lock = why === undefined ? new HostLock(config.stateDir) : undefined;
  if (lock !== undefined) {
    const restorable = () => guests().filter((guest) => exemption(guest) === undefined);
    report(log, await restore({ ...config, guests: restorable, lock }));
  }
  const journal = lock === undefined ? undefined : new Journal(config.stateDir, Date.now);
  journal?.attach(new HoldingMark(config.runDir, bootId));
  // Restoring and the dead-man's switch must not wait behind the guests: this thread runs before theirs, for a moment each time.
  if (why === undefined) runBefore(log);
  const io = new KernelIo(why === undefined ? "write" : "read");

  const registry = new Registry();
  const readiness = new Readiness();
  const bus = connectBus({
    url: config.natsUrl,
    ...(config.natsUser !== undefined && { user: config.natsUser }),
    ...(config.natsPassword !== undefined && { password: config.natsPassword }),
    name: `actuator ${config.hostId}`,
    log,
    readiness,
    registry,
  });
  const actuator = new Actuator({
    host: config.hostId,
    procRoot: KERNEL_ROOTS.procRoot,
    context: {
      io,
      roots: KERNEL_ROOTS,
      mounts,
      bootId,
      hasSystemd: isSystemdHost(),
      ...(journal !== undefined && { journal }),
      limits: () => config.limits,
      onDrift: () => config.onDrift,
    },
    lock,
    runDir: config.runDir,
    nowUs: bootTimeUs,
    guests,
    exemption,
    planTtlMsMax: () => config.limits.planTtlMsMax,
    publish: (applied) => bus.publish("applied", config.hostId, applied),
    metrics: createMetrics(registry),
    log,
  });
  exposeState(
    registry,
    {
      nowUs: bootTimeUs,
      plan: () => actuator.plan,
      guestsHeld: () => actuator.heldUuids,
      openFiles: () => io.openCount,
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
  onReload(() => {
    config = reload(config, policy, log);
  });

  await runLoop({ actuator, bus, host: config.hostId, signal, log, readiness });
  const isAllBack = await actuator.stop();
  await pages.close();
  await bus.close();
  journal?.dispose();
  io.close();
  watcher.close();
  if (!isAllBack) throw new Error("not every guest is as it was before; `kvmgov restore` tries again");
});

/** Policy, limits and lists can change while it runs; an invalid file keeps the old ones. */
function reload(config: ActuatorConfig, policy: PolicyFile, log: Logger): ActuatorConfig {
  try {
    const { limits, neverTouch, onDrift } = loadConfig(actuatorSchema, { env: process.env });
    policy.read();
    log.info({ event: "reloaded" }, "policy and limits were read again");
    return { ...config, limits, neverTouch, onDrift };
  } catch (error) {
    log.error(
      { event: "reload-failed", err: error },
      `the old policy and limits stay: ${(error as Error).message}`,
    );
    return config;
  }
}

/** What an earlier run had left behind. */
function report(log: Logger, { guests, journal, lost, unknown }: RestoreReport): void {
  if (journal.damage.length > 0) {
    const text = `the journal was damaged and is kept as ${journal.keptAside}`;
    log.error({ event: "journal-damaged", damage: journal.damage, keptAside: journal.keptAside }, text);
  }
  if (lost) {
    log.error(
      { event: "journal-lost", unknown },
      "first values were lost: guests go back to their configuration",
    );
  }
  for (const { guest, outcome, notes } of guests) {
    const fields = { guest: guest.name, uuid: guest.uuid, outcome, notes };
    if (outcome === "failed")
      log.error({ event: "restore-failed", ...fields }, `guest ${guest.name} is not as it was`);
    else
      log.info({ event: "restored", ...fields }, `guest ${guest.name}: left by an earlier run, ${outcome}`);
  }
}
