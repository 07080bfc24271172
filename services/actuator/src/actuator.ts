/**
 * The loop: takes plans, applies the newest, and goes back to the baseline when none comes. All work on the kernel is done in one
 * row, never two things at once.
 */
import { removeHeartbeat, writeHeartbeat } from "@kvm-governor/linux";
import type { HandsOff, HostLock, LiveProcesses } from "@kvm-governor/linux";
import type { Applied, Plan } from "@kvm-governor/policy";
import { NO_SPAN, TRACING_OFF } from "@kvm-governor/service-kit";
import type { Logger } from "@kvm-governor/service-kit";
import type { Followed } from "./acceptance.ts";
import { emptyReport } from "./applied-report.ts";
import type { GovernContext } from "./governed-guest.ts";
import { GuestFinder, type GuestFinderDeps } from "./guest-finder.ts";
import { HeldGuests } from "./held-guests.ts";
import type { ActuatorMetrics } from "./metrics.ts";
import { PlanInbox } from "./plan-inbox.ts";
import { PlanTrace, tellApplied } from "./plan-trace.ts";
import { Publisher } from "./publisher.ts";
import { Reporter } from "./reporter.ts";
import { lockProblem, Restorer } from "./restorer.ts";
import { msToNextTurn } from "./turn-time.ts";

export interface ActuatorDeps extends GuestFinderDeps {
  host: string;
  context: GovernContext;
  processes: LiveProcesses;
  /** Absent in a dry run: nothing is written, so others need not be kept out. */
  lock: HostLock | undefined;
  runDir: string;
  /** What an operator wants left alone; looks again when it is asked. */
  handsOff: () => HandsOff | undefined;
  /** CLOCK_BOOTTIME in microseconds until which guests may stay held that an earlier run left held. */
  adoptedUntilUs?: number | undefined;
  /** CLOCK_BOOTTIME in microseconds. */
  nowUs: () => number;
  planTtlMsMax: () => number;
  publish: (applied: Applied) => Promise<void>;
  metrics: ActuatorMetrics;
  log: Logger;
}

type FireReason = NonNullable<Applied["switchFired"]>;

/** How often guests are taken back at the end, where some are not as they were. */
const STOP_TRIES_MAX = 3;

/** How long the last report may take, in milliseconds. */
const LAST_REPORT_MS_MAX = 3000;

const WHY: Record<FireReason, string> = {
  expired: "no plan came within its time to live",
  stopped: "the actuator stops",
  operator: "an operator took everything back",
};

export class Actuator {
  readonly #deps: ActuatorDeps;
  readonly #reporter: Reporter;
  readonly #finder: GuestFinder;
  readonly #guests: HeldGuests;
  readonly #publisher: Publisher;
  readonly #inbox = new PlanInbox();
  readonly #trace: PlanTrace;
  /** The plan that is followed is void, and all guests are back at their baseline or on the way. */
  #fired: FireReason | undefined;
  #stopped = false;
  #work: Promise<void> = Promise.resolve();

  constructor(deps: ActuatorDeps) {
    this.#deps = deps;
    const { context, processes } = deps;
    const reporter = new Reporter(deps.log, deps.metrics);
    const restorer = new Restorer(context, deps.lock, reporter);
    this.#reporter = reporter;
    this.#trace = new PlanTrace(context.tracing ?? TRACING_OFF, deps.host);
    this.#finder = new GuestFinder(deps);
    this.#guests = new HeldGuests({ context, finder: this.#finder, restorer, reporter, processes });
    this.#publisher = new Publisher(deps.publish, reporter);
  }

  get plan(): { generation: number; sequence: number; expiresAtUs: number } | undefined {
    const { followed } = this.#inbox;
    if (followed === undefined) return undefined;
    const { generation, sequence } = followed.plan;
    return { generation, sequence, expiresAtUs: followed.expiresAtUs };
  }

  get guestsHeld(): number {
    return this.#guests.count;
  }

  /** UUIDs of the guests that are held away from their baseline. */
  get heldUuids(): string[] {
    return this.#guests.uuids;
  }

  /** Time until the next turn, in milliseconds. Longer than `TURN_MS`: nothing is due until then. */
  get turnMs(): number {
    return msToNextTurn(this.plan, this.#fired !== undefined, this.#deps.nowUs());
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
    if (judgement.result === "repeated") return Promise.resolve();
    return this.#trace.run(judgement, () => {
      if (judgement.result === "accepted") return this.#enqueue(() => this.#applyPending());
      this.#reporter.refused(judgement);
      return Promise.resolve();
    });
  }

  /**
   * One turn: heartbeat, expiry, what could not be restored before, guests that departed. What gives guests back comes first, and what
   * may fail beside it (a disk that is full or read-only) must not keep it from being done: the heartbeat goes on, so nobody else would.
   */
  turn(): Promise<void> {
    if (this.#stopped) return Promise.resolve();
    this.#beat();
    return this.#enqueue(async () => {
      if (this.#stopped) return;
      this.#lookForGuests();
      this.#guests.refresh();
      if (this.#isExpired()) await this.#fire("expired");
      await this.#takeBackByHand();
      this.#reporter.attempt("departed", () => this.#guests.forgetDeparted(this.#inbox.followed?.plan));
      this.#deps.context.audit?.release();
    });
  }

  /**
   * Takes everything back and takes no more plans. There is no next turn that would heal what fails for a moment (systemd that does not
   * answer in time): it is tried again here.
   * @returns whether every guest reads as before
   */
  async stop(): Promise<boolean> {
    this.#stopped = true;
    for (let tries = 0; tries === 0 || (tries < STOP_TRIES_MAX && this.guestsHeld > 0); tries++) {
      await this.#enqueue(() => {
        this.#lookForGuests();
        this.#guests.refresh();
        return this.#fire("stopped");
      });
    }
    await this.#publisher.done(LAST_REPORT_MS_MAX);
    removeHeartbeat(this.#deps.runDir);
    return this.guestsHeld === 0;
  }

  /**
   * Takes no more plans and leaves guests held for the next actuator. Whoever stands guard takes them back when the plan
   * expires before there is one: the last heartbeat says when.
   */
  async leave(): Promise<void> {
    this.#stopped = true;
    await this.#enqueue(async () => this.#beat(undefined, true));
    await this.#publisher.done(LAST_REPORT_MS_MAX);
  }

  #enqueue(task: () => Promise<void>): Promise<void> {
    const run = this.#work.then(task);
    // One task that failed must not keep the next from running; the caller hears of it.
    this.#work = run.catch(() => undefined);
    return run;
  }

  #voidAtUs(): number | undefined {
    return this.plan?.expiresAtUs ?? this.#deps.adoptedUntilUs;
  }

  #isExpired(): boolean {
    const voidAtUs = this.#voidAtUs();
    const isVoid = voidAtUs !== undefined && this.#deps.nowUs() >= voidAtUs;
    return isVoid && (this.#fired === undefined || this.guestsHeld > 0);
  }

  /** What keeps writes from being made, asked right before each batch: the process may have been frozen in between. */
  #mayWrite(followed: Followed): string | undefined {
    if (this.#stopped) return "the actuator stops";
    if (this.#deps.nowUs() >= followed.expiresAtUs) return "the plan expired in the meantime";
    return lockProblem(this.#deps.lock);
  }

  /** Said before a plan is applied, too: who freezes in the middle of it must be missed. */
  #beat(holding = this.guestsHeld > 0, isLeft = false): void {
    const { runDir, nowUs } = this.#deps;
    const expiresAtUs = this.#fired === undefined ? this.#voidAtUs() : undefined;
    const beat = { pid: process.pid, bootTimeUs: nowUs(), holding, ...(isLeft && { isLeft }) };
    this.#reporter.attempt("heartbeat", () =>
      writeHeartbeat(runDir, { ...beat, ...(expiresAtUs !== undefined && { expiresAtUs }) }),
    );
  }

  #lookForGuests(): void {
    this.#reporter.attempt("discovery", () => this.#finder.look());
  }

  async #applyPending(): Promise<void> {
    const isFirst = this.#inbox.followed === undefined || this.#fired !== undefined;
    const followed = this.#inbox.take();
    if (followed === undefined || this.#stopped) return;
    // Not the span that is open: it may be of a plan that this one has replaced.
    await (followed.span ?? NO_SPAN).within(() => this.#follow(followed, isFirst));
  }

  async #follow(followed: Followed, isFirst: boolean): Promise<void> {
    if (isFirst && this.#fired !== "operator") this.#reporter.following(followed.plan);
    if (this.#fired !== "operator") this.#fired = undefined;
    this.#beat(this.#deps.context.journal !== undefined);
    const applied = this.#emptyReport(followed.plan);
    if (!this.#finder.knows(followed.plan)) this.#lookForGuests();
    await this.#guests.apply(followed.plan, applied, {
      mayWrite: () => this.#mayWrite(followed),
      isOver: () => this.#stopped,
    });
    this.#deps.context.audit?.release();
    tellApplied(followed.span ?? NO_SPAN, applied);
    this.#deps.metrics.latency.observe((this.#deps.nowUs() - applied.sequence) / 1e6);
    this.#send(applied);
  }

  /** An operator's word holds until it is taken back, whatever plans come. */
  async #takeBackByHand(): Promise<void> {
    const handsOff = this.#deps.handsOff();
    const isAll = handsOff?.isAll === true;
    if (isAll && (this.#fired !== "operator" || this.guestsHeld > 0)) return this.#fire("operator");
    if (!isAll && this.#fired === "operator") this.#fired = "expired";
    if (handsOff === undefined) return;
    const applied = this.#emptyReport(this.plan);
    if ((await this.#guests.restoreByHand(applied)) > 0) this.#send(applied);
  }

  async #fire(reason: FireReason): Promise<void> {
    const isFirst = this.#fired !== reason || reason === "stopped";
    this.#fired = reason;
    const held = this.guestsHeld;
    if (isFirst && (reason !== "stopped" || held > 0)) this.#reporter.fired(reason, WHY[reason], held);
    const takeBack = (): Promise<void> => this.#restoreAll(reason, isFirst);
    await (isFirst ? this.#trace.takeBack(reason, this.#inbox.followed, takeBack) : takeBack());
  }

  async #restoreAll(reason: FireReason, isToTell: boolean): Promise<void> {
    const applied: Applied = { ...this.#emptyReport(this.plan), switchFired: reason };
    await this.#guests.restoreAll(applied, WHY[reason], reason === "stopped");
    if (isToTell) this.#send(applied);
  }

  #send(applied: Applied): void {
    applied.readBackAtUs = this.#deps.nowUs();
    this.#publisher.publish(applied);
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
