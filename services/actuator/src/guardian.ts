/**
 * The guardian: stands guard over an actuator that somebody else starts (a container, an init system). An actuator that is dead or frozen
 * cannot undo what it did; when its plan's time is over this process ends it and restores from the journal, without any server.
 * `kvmgov up` needs none: its supervisor does the same.
 */
import { setTimeout as sleep } from "node:timers/promises";
import { GuestWatcher, readCgroupMounts } from "@kvm-governor/linux";
import { ConfigError, loadConfig, runService, type Logger } from "@kvm-governor/service-kit";
import { actuatorSchema } from "./config.ts";
import { Guardian } from "./guardian/guardian.ts";
import { readOnlyReason } from "./permission.ts";

/** Between two looks at what an actuator leaves as the guardian ends. */
const END_INTERVAL_MS = 250;

await runService("guardian", async ({ log, signal, onReload }) => {
  const config = loadConfig(actuatorSchema, { env: process.env });
  const { stateDir, runDir, libvirtRunDir, guardSilenceMs } = config;
  log.level = config.logLevel;
  onReload(() => reloadLogLevel(log));
  const why = readOnlyReason(readCgroupMounts());
  if (why !== undefined) throw new Error(`it could restore nothing: ${why}`);
  const guests = () => {
    using watcher = new GuestWatcher({ libvirtRunDir });
    watcher.refresh();
    return watcher.inventory.guests;
  };
  const guardian = new Guardian({ stateDir, runDir, guests, silenceMsMax: guardSilenceMs, log });
  log.info({ event: "guarding", runDir }, "stands guard over this host's actuator");
  while (!signal.aborted) {
    const waitMs = await guardian.look();
    await sleep(waitMs, undefined, { signal }).catch(() => undefined);
  }
  while (!(await guardian.end())) await sleep(END_INTERVAL_MS);
});

function reloadLogLevel(log: Logger): void {
  try {
    log.level = loadConfig(actuatorSchema, { env: process.env }).logLevel;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    log.error({ event: "reload-refused", err: error }, `${error.message}; log level ${log.level} stays`);
  }
}
