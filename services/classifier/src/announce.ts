/** What people should hear of a decision: moves, new plans, promises that do not fit. One line each, as it happens. */
import type { GuestPlan, Plan, Report, Sample } from "@kvm-governor/policy";
import type { Logger } from "@kvm-governor/service-kit";
import { isHeldAlike } from "./held-alike.ts";
import type { ClassifierMetrics } from "./metrics.ts";

const CLASSES = ["service", "scientific"] as const;

/** Says once when SLAs do not fit a host, and once when they do again. */
export class Announcer {
  readonly #log: Logger;
  readonly #metrics: Pick<ClassifierMetrics, "moves">;
  readonly #oversubscribed = new Set<string>();
  /** Hosts whose moves are counted. */
  readonly #counted = new Set<string>();

  constructor(log: Logger, metrics: Pick<ClassifierMetrics, "moves">) {
    this.#log = log;
    this.#metrics = metrics;
  }

  decided(sample: Sample, plan: Plan, report: Report, before: Plan | undefined): void {
    this.#moves(plan.host, report);
    if (report.changed) this.#published(plan, before);
    this.#oversubscription(sample, report);
  }

  /** Hosts that another classifier works off from now on: it says what becomes of their SLAs. */
  forget(isGone: (host: string) => boolean): void {
    for (const host of this.#oversubscribed) if (isGone(host)) this.#oversubscribed.delete(host);
  }

  #moves(host: string, report: Report): void {
    if (!this.#counted.has(host)) {
      this.#counted.add(host);
      // From 0: increase() misses the first move of a series that begins with it.
      for (const to of CLASSES) this.#metrics.moves.inc({ host, to }, 0);
    }
    for (const { uuid, name, class: to, movedFrom: from, reasons, count } of report.guests) {
      if (from === undefined || to === "exempt") continue;
      this.#metrics.moves.inc({ host, to });
      const why = reasons[0]?.text ?? `crossing count ${count}`;
      this.#log.info(
        { event: "guest-moved", host, guest: name, uuid, from, to, why },
        `guest ${JSON.stringify(name)} moved: ${why}`,
      );
    }
  }

  #published({ host, generation, guests }: Plan, before: Plan | undefined): void {
    const changes = changedGuests(guests, before?.guests ?? []);
    this.#log.info(
      { event: "plan-published", host, generation, changes },
      `plan ${generation} of host ${host}: ${changes.map((name) => JSON.stringify(name)).join(", ") || "as before"}`,
    );
  }

  #oversubscription({ host }: Sample, { oversubscribed, slaScale }: Report): void {
    if (oversubscribed === this.#oversubscribed.has(host)) return;
    if (oversubscribed) {
      this.#oversubscribed.add(host);
      this.#log.warn(
        { event: "sla-oversubscribed", host, slaScale },
        `host ${host}: its guests' SLAs exceed it; each gets ${(slaScale * 100).toFixed(0)}% of its SLA`,
      );
    } else {
      this.#oversubscribed.delete(host);
      this.#log.info({ event: "sla-fits", host }, `host ${host}: its guests' SLAs fit again`);
    }
  }
}

/** Names of the guests whose settings differ, arrived or departed. */
function changedGuests(after: readonly GuestPlan[], before: readonly GuestPlan[]): string[] {
  const old = new Map(before.map((guest) => [guest.uuid, guest]));
  const names: string[] = [];
  for (const guest of after) {
    const other = old.get(guest.uuid);
    old.delete(guest.uuid);
    if (other === undefined || !isHeldAlike(other, guest)) names.push(guest.name);
  }
  return [...names, ...[...old.values()].map((guest) => guest.name)];
}
