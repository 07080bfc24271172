/**
 * The loop: takes plans, applies the newest, and goes back to the baseline when none comes. All work on the kernel is done in one
 * row, never two things at once.
 */
import { isSameRun, removeHeartbeat, startTimeOf, writeHeartbeat } from "@kvm-governor/linux";
import type { Guest, GuestRun, HostLock, JournalEntry } from "@kvm-governor/linux";
import type { Applied, GuestPlan, Plan } from "@kvm-governor/policy";
import type { Logger } from "@kvm-governor/service-kit";
import { emptyReport } from "./applied-report.ts";
import { GovernedGuest, WriteForbiddenError, type GovernContext } from "./governed-guest.ts";
import { GuestFinder, type GuestFinderDeps } from "./guest-finder.ts";
import type { ActuatorMetrics } from "./metrics.ts";
import { PlanInbox, type Followed } from "./plan-inbox.ts";
import { inOrder, isBaseline } from "./plan-order.ts";
import { Publisher } from "./publisher.ts";
import { Reporter } from "./reporter.ts";
import { lockProblem, Restorer } from "./restorer.ts";

export interface ActuatorDeps extends GuestFinderDeps {
  host: string;
  context: GovernContext;
  /** Absent in a dry run: nothing is written, so others need not be kept out. */
  lock: HostLock | undefined;
  runDir: string;
  /** CLOCK_BOOTTIME in microseconds. */
  nowUs: () => number;
  planTtlMsMax: () => number;
  publish: (applied: Applied) => Promise<void>;
  metrics: ActuatorMetrics;
  log: Logger;
}

/** Longest turn of the loop, in milliseconds: who stands guard hears from it four times a second. */
export const TURN_MS_MAX = 250;

/** How long the last report may take, in milliseconds. */
const LAST_REPORT_MS_MAX = 3000;

export class Actuator {
  readonly #deps: ActuatorDeps;
  readonly #reporter: Reporter;
  readonly #restorer: Restorer;
  readonly #finder: GuestFinder;
  readonly #publisher: Publisher;
  readonly #governed = new Map<string, GovernedGuest>();
  readonly #inbox = new PlanInbox();
  /** The plan that is followed is void, and all guests are back at their baseline or on the way. */
  #fired = false;
  #stopped = false;
  #work: Promise<void> = Promise.resolve();

  constructor(deps: ActuatorDeps) {
    this.#deps = deps;
    this.#reporter = new Reporter(deps.log, deps.metrics);
    this.#restorer = new Restorer(deps.context, deps.lock, this.#reporter);
    this.#finder = new GuestFinder(deps);
    this.#publisher = new Publisher(deps.publish, this.#reporter);
  }

  get plan(): { generation: number; sequence: number; expiresAtUs: number } | undefined {
    const { followed } = this.#inbox;
    if (followed === undefined) return undefined;
    const { generation, sequence } = followed.plan;
    return { generation, sequence, expiresAtUs: followed.expiresAtUs };
  }

  get guestsHeld(): number {
    return this.#restorer.entries().length;
  }

  /** UUIDs of the guests that are held away from their baseline. */
  get heldUuids(): string[] {
    return this.#restorer.entries().map(({ guest }) => guest.uuid);
  }

  /** Time between two turns that the present plan asks for, in milliseconds. */
  get turnMs(): number {
    const { plan } = this;
    const ttlMs = plan === undefined ? Infinity : (plan.expiresAtUs - plan.sequence) / 1000;
    return Math.max(20, Math.min(TURN_MS_MAX, ttlMs / 4));
  }

  /** Takes what came under the host's key. Resolves when it was worked off, or a newer one in its place. */
  receive(data: Uint8Array): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    const { host, context, nowUs, metrics, planTtlMsMax } = this.#deps;
    const judgement = this.#inbox.put(data, {
      host,
      bootId: context.bootId,
      nowUs: nowUs(),
      planTtlMsMax: planTtlMsMax(),
    });
    metrics.plans.inc({ result: judgement.result });
    if (judgement.result === "refused") this.#reporter.refused(judgement);
    if (judgement.result !== "accepted") return Promise.resolve();
    return this.#enqueue(() => this.#applyPending());
  }

  /** One turn: heartbeat, expiry, guests that departed, what could not be restored before. */
  turn(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#beat();
    return this.#enqueue(async () => {
      if (this.#stopped) return;
      this.#lookForGuests();
      this.#forgetDeparted();
      if (this.#isExpired()) await this.#fire("expired");
    });
  }

  /**
   * Takes everything back and takes no more plans.
   * @returns whether every guest reads as before
   */
  async stop(): Promise<boolean> {
    this.#stopped = true;
    await this.#enqueue(() => this.#fire("stopped"));
    await this.#publisher.done(LAST_REPORT_MS_MAX);
    removeHeartbeat(this.#deps.runDir);
    return this.guestsHeld === 0;
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    const run = this.#work.then(task);
    // One task that failed must not keep the next from running; the caller hears of it.
    this.#work = run.catch(() => undefined);
    return run;
  }

  #isExpired(): boolean {
    const isVoid = this.plan !== undefined && this.#deps.nowUs() >= this.plan.expiresAtUs;
    return isVoid && (!this.#fired || this.guestsHeld > 0);
  }

  /** What keeps writes from being made, asked right before each batch: the process may have been frozen in between. */
  #mayWrite(followed: Followed): string | undefined {
    if (this.#deps.nowUs() >= followed.expiresAtUs) return "the plan expired in the meantime";
    return lockProblem(this.#deps.lock);
  }

  /** Said before a plan is applied, too: who freezes in the middle of it must be missed. */
  #beat(holding = this.guestsHeld > 0): void {
    const { runDir, nowUs } = this.#deps;
    const expiresAtUs = this.#fired ? undefined : this.plan?.expiresAtUs;
    const beat = { pid: process.pid, bootTimeUs: nowUs(), holding };
    this.#reporter.attempt("heartbeat", () =>
      writeHeartbeat(runDir, { ...beat, ...(expiresAtUs !== undefined && { expiresAtUs }) }),
    );
  }

  #lookForGuests(): void {
    this.#reporter.attempt("discovery", () => this.#finder.look());
  }

  #forgetDeparted(): void {
    const { context } = this.#deps;
    const runs = ({ pid, startTime }: GuestRun): boolean =>
      startTimeOf(context.roots.procRoot, pid) === startTime;
    this.#restorer.forgetDeparted(runs);
    for (const [uuid, governed] of this.#governed) if (!runs(governed.guest)) this.#release(uuid, governed);
  }

  #release(uuid: string, governed: GovernedGuest): void {
    this.#deps.context.io.forget(governed.dirs);
    this.#reporter.forget(uuid);
    this.#governed.delete(uuid);
  }

  async #applyPending(): Promise<void> {
    const isFirst = this.#inbox.followed === undefined || this.#fired;
    const followed = this.#inbox.take();
    if (followed === undefined || this.#stopped) return;
    if (isFirst) this.#reporter.following(followed.plan);
    this.#fired = false;
    this.#beat(this.#deps.context.journal !== undefined);
    const applied = this.#emptyReport(followed.plan);
    if (!this.#finder.knows(followed.plan)) this.#lookForGuests();
    for (const plan of inOrder(followed.plan.guests)) await this.#applyGuest(plan, followed, applied);
    await this.#restoreOthers(followed.plan, applied);
    applied.readBackAtUs = this.#deps.nowUs();
    this.#deps.metrics.latency.observe((applied.readBackAtUs - applied.sequence) / 1e6);
    this.#publisher.publish(applied);
  }

  /** One guest's failure never stops another's. */
  async #applyGuest(plan: GuestPlan, followed: Followed, applied: Applied): Promise<void> {
    const skip = (code: string, reason: string): void => {
      this.#reporter.skipped(plan, code, reason);
      applied.skipped.push({ guest: plan.uuid, name: plan.name, reason: reason.slice(0, 1024) });
    };
    try {
      const found = this.#finder.find(plan);
      if ("reason" in found) return skip(found.code, found.reason);
      const governed = this.#governedAs(found);
      if (isBaseline(plan)) {
        if (governed.entry !== undefined) await this.#restore(governed.entry, applied);
        return;
      }
      const outcome = await governed.apply(plan, followed.plan.generation, () => this.#mayWrite(followed));
      applied.verified += outcome.verified;
      applied.writes.push(...outcome.writes);
      applied.drift.push(...outcome.drift);
      this.#reporter.applied(plan, outcome, this.#deps.context.journal === undefined);
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
    if (known !== undefined) this.#release(guest.uuid, known);
    const governed = new GovernedGuest(guest, this.#deps.context);
    this.#governed.set(guest.uuid, governed);
    return governed;
  }

  /** Guests that are held, and that the plan does not speak about, or that it should not. */
  async #restoreOthers(plan: Plan, applied: Applied): Promise<void> {
    const planned = new Set(plan.guests.map(({ uuid }) => uuid));
    for (const entry of this.#restorer.entries()) {
      const { uuid } = entry.guest;
      if (!planned.has(uuid) || this.#finder.isExempt(uuid)) await this.#restore(entry, applied);
    }
  }

  async #restore(entry: JournalEntry, applied: Applied): Promise<void> {
    const isDone = await this.#restorer.restore(entry, applied);
    const governed = this.#governed.get(entry.guest.uuid);
    if (isDone && governed !== undefined) this.#release(entry.guest.uuid, governed);
  }

  async #fire(reason: "expired" | "stopped"): Promise<void> {
    const isFirst = !this.#fired || reason === "stopped";
    this.#fired = true;
    const held = this.guestsHeld;
    if (isFirst && (reason === "expired" || held > 0)) this.#reporter.fired(reason, held);
    const applied: Applied = { ...this.#emptyReport(this.plan), switchFired: reason };
    for (const entry of this.#restorer.entries()) await this.#restore(entry, applied);
    applied.readBackAtUs = this.#deps.nowUs();
    if (isFirst) this.#publisher.publish(applied);
  }

  #emptyReport(plan: Pick<Plan, "generation" | "sequence"> | undefined): Applied {
    const { host, context, nowUs } = this.#deps;
    return emptyReport(
      { host, bootId: context.bootId, dryRun: context.journal === undefined },
      plan,
      nowUs(),
    );
  }
}
