/** What the actuator finds when it starts, and what it leaves when it ends. */
import { AuditLog, bootTimeUs, hasGuard, isJournalWhole, readHeartbeat } from "@kvm-governor/linux";
import type { RestoreReport } from "@kvm-governor/linux";
import type { Logger } from "@kvm-governor/service-kit";
import type { Actuator } from "./actuator.ts";
import type { ActuatorConfig } from "./config.ts";
import type { ActuatorMetrics } from "./metrics.ts";

export function openAudit(config: ActuatorConfig, log: Logger, metrics: ActuatorMetrics): AuditLog {
  let said = "";
  return new AuditLog({
    stateDir: config.stateDir,
    ...config.audit,
    nowMs: Date.now,
    onFailure: (error) => {
      metrics.auditFailures.inc();
      if (said === error.message) return;
      said = error.message;
      const text = `writes are made and not recorded in the audit: ${error.message}`;
      log.error({ event: "audit-failed", err: error }, text);
    },
    onRecovery: () => {
      said = "";
      log.info({ event: "audit-works-again" }, "writes are recorded in the audit again");
    },
  });
}

/**
 * Until when guests may stay held that the run before left held on purpose.
 * @returns undefined where it did not, its plan is void by now, or first values were lost: they go back first
 */
export function adoptableUntil(
  places: Pick<ActuatorConfig, "runDir" | "stateDir">,
  bootId: string,
  nowUs: number,
): number | undefined {
  const { isLeft = false, expiresAtUs = 0 } = readHeartbeat(places.runDir) ?? {};
  return isLeft && expiresAtUs > nowUs && isJournalWhole(places, bootId) ? expiresAtUs : undefined;
}

/** @returns whether all guests are as they are meant to be left */
export async function end(
  actuator: Actuator,
  { onStop, runDir }: ActuatorConfig,
  log: Logger,
): Promise<boolean> {
  if (onStop === "restore") return actuator.stop();
  if (!hasGuard(runDir, bootTimeUs())) {
    const text = "onStop is keep, and nothing stands guard: everything goes back";
    log.warn({ event: "not-kept" }, text);
    return actuator.stop();
  }
  const { guestsHeld } = actuator;
  await actuator.leave();
  const text = `${guestsHeld} guests stay held for the next actuator; the guard takes them back if none comes`;
  log.info({ event: "kept", guests: guestsHeld }, text);
  return true;
}

/** What an earlier run had left behind. */
export function report(log: Logger, { guests, journal, lost, unknown }: RestoreReport): void {
  if (journal.damage.length > 0) {
    const text = `the journal was damaged and is kept as ${journal.keptAside}`;
    log.error({ event: "journal-damaged", damage: journal.damage, keptAside: journal.keptAside }, text);
  }
  if (lost) {
    log.error(
      { event: "journal-lost", unknown },
      "first values were lost: guests that are held go back to their configuration",
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
