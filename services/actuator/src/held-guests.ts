/** The guests that plans speak about, each for itself: one guest's failure never stops another's. */
import { TRACING_OFF } from "@kvm-governor/service-kit";
import { isSameRun } from "@kvm-governor/linux";
import type { Guest, JournalEntry, LiveProcesses } from "@kvm-governor/linux";
import type { Applied, GuestPlan, Plan } from "@kvm-governor/policy";
import { GovernedGuest, WriteForbiddenError, type GovernContext, type Tick } from "./governed-guest.ts";
import type { GuestFinder } from "./guest-finder.ts";
import { turnOf } from "./held-values.ts";
import { inOrder, isBaseline } from "./plan-order.ts";
import type { Reporter } from "./reporter.ts";
import type { Restorer } from "./restorer.ts";

export interface HeldGuestsDeps {
  context: GovernContext;
  finder: GuestFinder;
  restorer: Restorer;
  reporter: Reporter;
  processes: LiveProcesses;
}

/** What may change while a plan is applied. */
export interface Say {
  /** Why nothing may be written any more; asked before each write. */
  mayWrite: () => string | undefined;
  /** Whether the rest of the plan does not matter any more. */
  isOver: () => boolean;
}

/** Guests of one plan whose writes are spans of their own; a plan that changes more is told by numbers alone for the rest. */
export const GUEST_SPANS_MAX = 32;

export class HeldGuests {
  readonly #deps: HeldGuestsDeps;
  #ticks = 0;
  /** What was taken in last. */
  #seen: ReadonlyMap<string, Guest> | undefined;
  readonly #governed = new Map<string, GovernedGuest>();

  constructor(deps: HeldGuestsDeps) {
    this.#deps = deps;
  }

  /** Guests that are held away from their baseline, or could not be taken back before. */
  get count(): number {
    return this.#deps.restorer.count;
  }

  /** UUIDs of these guests. */
  get uuids(): string[] {
    return this.#deps.restorer.entries().map(({ guest }) => guest.uuid);
  }

  /**
   * Applies a plan to every guest, and takes back those that it does not speak about, or that it should not.
   */
  apply(plan: Plan, applied: Applied, say: Say): Promise<void> {
    const { tracing = TRACING_OFF } = this.#deps.context;
    const spec = { name: "apply plan", attributes: { "kvmgov.guests": plan.guests.length } };
    return tracing.span(spec, () => this.#apply(plan, applied, say));
  }

  async #apply(plan: Plan, applied: Applied, { mayWrite, isOver }: Say): Promise<void> {
    const { tracing = TRACING_OFF } = this.#deps.context;
    const held = [...this.#governed.values()].reduce((sum, { valuesHeld }) => sum + valuesHeld, 0);
    const tick = { generation: plan.generation, turn: turnOf(this.#ticks++, held), tracing };
    let written = 0;
    for (const guest of inOrder(plan.guests)) {
      if (isOver()) return;
      const before = applied.writes.length;
      const own = written < GUEST_SPANS_MAX ? tick : { ...tick, tracing: TRACING_OFF };
      await this.#applyGuest(guest, own, applied, mayWrite);
      if (applied.writes.length > before) written++;
    }
    await this.#restoreOthers(plan, applied);
  }

  /** @param isUrgent there is no later: what failed a moment ago is tried again, too */
  async restoreAll(applied: Applied, reason: string, isUrgent: boolean): Promise<void> {
    const { restorer } = this.#deps;
    for (const entry of restorer.entries()) {
      if (isUrgent || restorer.isDue(entry, reason)) await this.#restore(entry, applied, reason);
    }
  }

  /** Takes back those that an operator wants left alone. @returns how many were tried */
  async restoreByHand(applied: Applied): Promise<number> {
    const { restorer, finder } = this.#deps;
    const reason = "an operator took it back";
    const meant = restorer
      .entries()
      .filter(
        (entry) => finder.exemption(entry.guest.uuid)?.code === "operator" && restorer.isDue(entry, reason),
      );
    for (const entry of meant) await this.#restore(entry, applied, reason);
    return meant.length;
  }

  /** Takes in what changed about the guests since they were last looked at, also between two plans. */
  refresh(): void {
    const { finder, reporter } = this.#deps;
    if (finder.seen === this.#seen) return;
    this.#seen = finder.seen;
    for (const [uuid, governed] of this.#governed) {
      const now = finder.get(uuid);
      if (now === undefined || !isSameRun(now, governed.guest)) continue;
      const isDone = reporter.attempt("refresh", () => governed.refresh(now), now);
      if (!isDone) this.#seen = undefined;
      reporter.rebased(now, governed.takeRebased());
    }
  }

  /** @param plan the one that is followed: what was said of its guests is not said again, also where they do not run here */
  forgetDeparted(plan: Plan | undefined): void {
    const { processes, restorer, reporter, finder } = this.#deps;
    restorer.forgetDeparted((guest) => processes.runs(guest));
    for (const [uuid, { guest }] of this.#governed) if (!processes.runs(guest)) this.#release(uuid);
    const pids = [...this.#governed.values()].map(({ guest }) => guest.pid);
    processes.keepOnly(new Set([...pids, ...restorer.entries().map(({ guest }) => guest.pid)]));
    const known = new Set([...(plan?.guests ?? []).map(({ uuid }) => uuid), ...this.uuids]);
    reporter.keepOnly((uuid) => known.has(uuid) || finder.get(uuid) !== undefined);
  }

  async #applyGuest(
    plan: GuestPlan,
    tick: Tick,
    applied: Applied,
    mayWrite: () => string | undefined,
  ): Promise<void> {
    const { finder, reporter, restorer, context } = this.#deps;
    const skip = (code: string, reason: string): void => {
      reporter.skipped(plan, code, reason);
      applied.skipped.push({ guest: plan.uuid, name: plan.name, reason: reason.slice(0, 1024) });
    };
    try {
      const found = finder.find(plan);
      if ("reason" in found) return skip(found.code, found.reason);
      const governed = this.#governedAs(found);
      reporter.rebased(found, governed.takeRebased());
      if (isBaseline(plan)) {
        const { entry } = governed;
        const why = "the plan leaves it as it was found";
        if (entry !== undefined && restorer.isDue(entry, why)) await this.#restore(entry, applied, why);
        return;
      }
      restorer.isHeldAgain(found);
      const outcome = await governed.apply(plan, tick, mayWrite);
      applied.verified += outcome.verified;
      applied.writes.push(...outcome.writes);
      applied.drift.push(...outcome.drift);
      for (const { kind, target, setting, text } of outcome.problems) {
        (applied.limits ??= []).push({ guest: plan.uuid, target, setting, limit: kind, text });
      }
      reporter.applied(plan, outcome, context.journal === undefined);
    } catch (error) {
      const code = error instanceof WriteForbiddenError ? "forbidden" : "failed";
      skip(code, (error as Error).message);
    }
  }

  #governedAs(guest: Guest): GovernedGuest {
    const known = this.#governed.get(guest.uuid);
    if (known !== undefined && isSameRun(known.guest, guest)) {
      known.refresh(guest);
      return known;
    }
    if (known !== undefined) this.#release(guest.uuid);
    const governed = new GovernedGuest(guest, this.#deps.context);
    this.#governed.set(guest.uuid, governed);
    return governed;
  }

  async #restoreOthers(plan: Plan, applied: Applied): Promise<void> {
    const { restorer, finder } = this.#deps;
    const planned = new Set(plan.guests.map(({ uuid }) => uuid));
    for (const entry of restorer.entries()) {
      const { uuid } = entry.guest;
      const why =
        finder.exemption(uuid)?.reason ?? (planned.has(uuid) ? undefined : "no plan speaks about it");
      if (why !== undefined && restorer.isDue(entry, why)) await this.#restore(entry, applied, why);
    }
  }

  async #restore(entry: JournalEntry, applied: Applied, reason: string): Promise<void> {
    const isDone = await this.#deps.restorer.restore(entry, applied, reason);
    if (isDone) this.#release(entry.guest.uuid);
  }

  #release(uuid: string): void {
    const governed = this.#governed.get(uuid);
    if (governed === undefined) return;
    this.#deps.context.io.forget(governed.dirs);
    this.#deps.reporter.forget(uuid);
    this.#governed.delete(uuid);
  }
}
