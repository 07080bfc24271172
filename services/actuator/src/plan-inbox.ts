/** Plans that came: the newest one that waits, and the one that is followed. */
import type { Plan } from "@kvm-governor/policy";
import { judgePlan, type AcceptanceContext, type Judgement } from "./acceptance.ts";
import { PlanReader } from "./plan-reader.ts";

/** An accepted plan. */
export interface Followed {
  plan: Plan;
  /** When it is void, in microseconds of CLOCK_BOOTTIME. */
  expiresAtUs: number;
}

export class PlanInbox {
  readonly #reader = new PlanReader();
  #followed: Followed | undefined;
  #pending: Followed | undefined;

  /** The plan that is followed, or was last. */
  get followed(): Followed | undefined {
    return this.#followed;
  }

  /** Judges what came. An accepted plan waits until it is taken, and takes the place of one that waits. */
  put(data: Uint8Array, context: Omit<AcceptanceContext, "last">): Judgement {
    const last = (this.#pending ?? this.#followed)?.plan;
    const judgement = judgePlan(data, { ...context, last }, this.#reader);
    if (judgement.result === "accepted") this.#pending = judgement;
    return judgement;
  }

  /** The plan that waits; from now on it is the one that is followed. */
  take(): Followed | undefined {
    const pending = this.#pending;
    this.#pending = undefined;
    if (pending !== undefined) this.#followed = pending;
    return pending;
  }
}
