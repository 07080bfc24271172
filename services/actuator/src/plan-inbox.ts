/** Plans that came: the newest one that waits, and the one that is followed. */
import { judgePlan, type AcceptanceContext, type Followed, type Judgement } from "./acceptance.ts";
import { PlanReader } from "./plan-reader.ts";

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
    const judgement = judgePlan(
      data,
      { ...context, last: (this.#pending ?? this.#followed)?.plan },
      this.#reader,
    );
    if (judgement.result === "accepted") {
      this.#pending?.span?.set({ "kvmgov.outcome": "replaced" });
      this.#pending = judgement;
    }
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
