/** What the actuator says, in the log and in its metrics. What stays as it is, is said once. */
import type { GuestRestore } from "@kvm-governor/linux";
import type { Applied, GuestPlan, Plan } from "@kvm-governor/policy";
import type { Logger } from "@kvm-governor/service-kit";
import type { Refusal } from "./acceptance.ts";
import type { BaselineReport, GuestOutcome } from "./governed-guest.ts";
import type { ActuatorMetrics } from "./metrics.ts";

const WHAT = { "quota-changed": "quota", "weight-changed": "weight", "cpus-changed": "CPUs" };

/** A value in a line for people. Empty is only a `cpuset.cpus` of v2, which stands for the CPUs of the group above. */
const shown = (value: string): string => (value === "" ? "(empty: those of the group above)" : value);

interface GuestName {
  uuid: string;
  name: string;
}

const fieldsOf = (guest: GuestName | undefined): object =>
  guest === undefined ? {} : { guest: guest.name, uuid: guest.uuid };

export class Reporter {
  readonly #log: Logger;
  readonly #metrics: ActuatorMetrics;
  /** Last text that was logged, by what it is about; of guests under their UUID. */
  readonly #said = new Map<string, string>();
  readonly #saidOf = new Map<string, Map<string, string>>();

  constructor(log: Logger, metrics: ActuatorMetrics) {
    this.#log = log;
    this.#metrics = metrics;
  }

  following(plan: Plan): void {
    const { generation, preset, guests } = plan;
    this.#log.info(
      { event: "plan-followed", generation, preset, guests: guests.length },
      `following plan ${generation} for ${guests.length} guests`,
    );
  }

  refused(refusal: Refusal): void {
    this.#metrics.plansRefused.inc({ reason: refusal.reason });
    if (!this.#isNew("plan", refusal.text)) return;
    this.#log.warn({ event: "plan-refused", reason: refusal.reason }, `plan refused: ${refusal.text}`);
  }

  skipped(plan: GuestPlan, code: string, reason: string): void {
    this.#metrics.guestsSkipped.inc({ reason: code });
    if (!this.#isNew("skipped", reason, plan)) return;
    const { uuid, name } = plan;
    this.#log.warn(
      { event: "guest-skipped", guest: name, uuid, reason: code },
      `guest ${name} is left alone: ${reason}`,
    );
  }

  applied(plan: GuestPlan, outcome: GuestOutcome, isDryRun: boolean): void {
    this.#saidOf.get(plan.uuid)?.delete("skipped");
    for (const { write, error } of outcome.results) {
      const result = error !== undefined ? "failed" : isDryRun ? "dry-run" : "ok";
      this.#metrics.writes.inc({ setting: write.setting, result });
    }
    this.#problems(plan, outcome);
    this.#drift(plan, outcome);
    if (isDryRun) this.#wouldWrite(plan, outcome);
    else this.#changed(plan, outcome);
  }

  /** libvirt was told to change something about a guest that is held. */
  rebased(guest: { name: string; uuid: string }, changes: readonly BaselineReport[]): void {
    for (const { target, setting, file, old, new: now } of changes) {
      this.#metrics.baselineChanges.inc({ setting });
      const fields = { guest: guest.name, uuid: guest.uuid, target, setting, file, old, new: now };
      this.#log.info(
        { event: "baseline-changed", ...fields },
        `guest ${guest.name}: libvirt was told to change ${setting} of ${target}: it goes back to ${shown(now)} from now on, not to ${shown(old)}`,
      );
    }
  }

  restored(restored: GuestRestore): void {
    const { guest, outcome, notes, writes } = restored;
    this.#metrics.restores.inc({ outcome });
    for (const { write, error } of writes) {
      this.#metrics.writes.inc({ setting: write.setting, result: error === undefined ? "ok" : "failed" });
    }
    const fields = { guest: guest.name, uuid: guest.uuid, outcome, notes, writes: writes.length };
    const errors = writes.flatMap(({ error }) => error ?? []);
    const text = [...notes, ...errors].join("; ");
    if (!this.#isNew("restored", `${outcome} ${text}`, guest) && outcome === "failed") return;
    if (outcome === "failed") {
      this.#log.error(
        { event: "restore-failed", ...fields, errors },
        `guest ${guest.name} is not as it was: ${text}`,
      );
    } else if (outcome === "restored") {
      this.#log.info({ event: "restored", ...fields }, `guest ${guest.name}: everything is as it was before`);
    }
  }

  /** @param why in words */
  fired(reason: NonNullable<Applied["switchFired"]>, why: string, held: number): void {
    this.#metrics.switchFired.inc({ reason });
    const event = reason === "expired" ? "dead-mans-switch" : "taking-back";
    this.#log[reason === "expired" ? "warn" : "info"](
      { event, reason, guests: held },
      `${why}: ${held} guests go back to what they had before`,
    );
  }

  /**
   * Does what may fail without harm to the rest; a failure is said when it begins, and when it is over.
   * @param guest that it is about
   * @returns whether it was done
   */
  attempt(what: string, action: () => void, guest?: GuestName): boolean {
    try {
      action();
      this.recovered(`${what}-failed`, guest);
      return true;
    } catch (error) {
      this.failure(`${what}-failed`, error, guest);
      return false;
    }
  }

  failure(event: string, error: unknown, guest?: GuestName): void {
    const { message } = error as Error;
    if (!this.#isNew(event, message, guest)) return;
    const who = guest === undefined ? "" : `guest ${guest.name}: `;
    this.#log.error({ event, err: error, ...fieldsOf(guest) }, `${who}${event}: ${message}`);
  }

  recovered(event: string, guest?: GuestName): void {
    const said = guest === undefined ? this.#said : this.#saidOf.get(guest.uuid);
    if (said?.delete(event) === true)
      this.#log.info({ event: event.replace(/-failed$/, "-works-again"), ...fieldsOf(guest) }, "works again");
  }

  /** Everything that was said about a guest may be said again. */
  forget(uuid: string): void {
    this.#saidOf.delete(uuid);
  }

  /** Forgets all guests but those of interest: a host sees any number of them in its time. */
  keepOnly(isOfInterest: (uuid: string) => boolean): void {
    for (const uuid of this.#saidOf.keys()) if (!isOfInterest(uuid)) this.#saidOf.delete(uuid);
  }

  #problems(plan: GuestPlan, { problems, results }: GuestOutcome): void {
    for (const { kind, setting } of problems) this.#metrics.planProblems.inc({ kind, setting });
    const texts = problems.map(({ target, text }) => `${target}: ${text}`);
    for (const { write, error } of results) {
      if (error !== undefined) texts.push(`${write.target}: ${write.setting}: ${error}`);
    }
    const text = texts.join("; ");
    if (!this.#isNew("problems", text, plan) || text === "") return;
    const { name: guest, uuid } = plan;
    this.#log.warn({ event: "not-applied", guest, uuid, problems: texts }, `guest ${guest}: ${text}`);
  }

  #drift(plan: GuestPlan, { drift }: GuestOutcome): void {
    for (const { target, setting, file, applied, found } of drift) {
      this.#metrics.drift.inc({ setting });
      const fields = { guest: plan.name, uuid: plan.uuid, target, setting, file, applied, found };
      this.#log.warn(
        { event: "drift", ...fields },
        `guest ${plan.name}: ${target} ${setting} was ${applied} and is ${found}: somebody else wrote it`,
      );
    }
  }

  #changed(plan: GuestPlan, { changes }: GuestOutcome): void {
    if (changes.length === 0) return;
    const { name: guest, uuid } = plan;
    const [reason = "no reason given", ...others] = plan.reasons.map(({ text }) => text);
    const more = others.length === 0 ? "" : `; ${others.length} more`;
    for (const { event, target, old, new: now } of changes) {
      this.#log.info(
        { event, guest, uuid, target, old, new: now, reason, reasons: plan.reasons.length },
        `guest ${guest}: ${WHAT[event]} of ${target} ${shown(old)} -> ${shown(now)} (${reason}${more})`,
      );
    }
    // All of them are in the audit, too, with each write.
    this.#log.debug({ event: "reasons", guest, uuid, reasons: [reason, ...others] }, `guest ${guest}: why`);
  }

  #wouldWrite(plan: GuestPlan, { writes }: GuestOutcome): void {
    const lines = writes.map(({ file, old, wanted }) => `${file}: ${shown(old)} -> ${shown(wanted)}`);
    if (!this.#isNew("would", lines.join("\n"), plan) || lines.length === 0) return;
    for (const { target, setting, file, old, wanted } of writes) {
      const fields = { guest: plan.name, uuid: plan.uuid, target, setting, file, old, new: wanted };
      this.#log.info(
        { event: "would-write", ...fields },
        `dry run: would write ${shown(wanted)} to ${file} (is ${shown(old)})`,
      );
    }
  }

  #isNew(about: string, text: string, guest?: Pick<GuestName, "uuid">): boolean {
    const said = guest === undefined ? this.#said : this.#saidOf.get(guest.uuid);
    if (said?.get(about) === text) return false;
    if (said !== undefined) said.set(about, text);
    else if (guest !== undefined) this.#saidOf.set(guest.uuid, new Map([[about, text]]));
    return true;
  }
}
