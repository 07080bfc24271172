/** The published plans: read, and replaced where nobody else went on. */
import { ContractError, ContractVersionError, parseContract, planSchema } from "@kvm-governor/policy";
import type { Plan } from "@kvm-governor/policy";
import { PlanConflictError } from "@kvm-governor/service-kit";
import type { Logger, PlanEntry } from "@kvm-governor/service-kit";
import type { ClassifierMetrics } from "./metrics.ts";
import { isNewer, isSamePoint } from "./recover.ts";
import type { HistoryPoint } from "./recover.ts";

/** The plans of all hosts, as the bus offers them. */
export interface PlanStore {
  get(host: string): Promise<PlanEntry | undefined>;
  /** @param plan JSON */
  put(host: string, plan: string, revision: number): Promise<number>;
}

/** The bus cannot be reached or does not answer: the plan is not published, or perhaps it is. */
export class PlansUnavailableError extends Error {
  override readonly name = "PlansUnavailableError";
}

/** What lies where a host's actuator looks: nothing readable where `plan` is undefined; revision 0 where there is nothing. */
export interface PlanPlace {
  plan: Plan | undefined;
  revision: number;
}

export interface FoundPlan extends PlanPlace {
  plan: Plan;
}

export interface PublishOptions {
  /** The plan as JSON, where it is made already. */
  text?: string;
  /** What the plan was decided from, where it is new: a plan that lies there and is newer than that must not be lost. */
  follows?: HistoryPoint;
}

export type Published =
  | { kind: "published"; place: PlanPlace }
  /** It lies there already. */
  | { kind: "as-before" }
  /** Somebody else went on. */
  | { kind: "newer-found" }
  /** One lies there that is newer than what this one follows. */
  | { kind: "unknown-found"; found: FoundPlan };

export interface PublishedPlansOptions {
  plans: PlanStore;
  metrics: Pick<ClassifierMetrics, "planPuts" | "corrupt">;
  log: Logger;
}

/** Each conflict means that somebody else went on; more in a row than this are no race any more. */
export const CONFLICTS_MAX = 20;

export class PublishedPlans {
  readonly #options: PublishedPlansOptions;

  constructor(options: PublishedPlansOptions) {
    this.#options = options;
  }

  /**
   * @throws {PlansUnavailableError}
   * @throws {ContractVersionError} a later version published it
   */
  async read(host: string): Promise<PlanPlace> {
    const entry = await this.#get(host);
    return { plan: entry && this.#parse(host, entry), revision: entry?.revision ?? 0 };
  }

  /**
   * Puts a plan where its host's actuator looks for it, unless a newer one is there.
   * @param place what was there last
   * @throws {PlansUnavailableError}
   * @throws {ContractVersionError} as in read
   */
  async publish(place: PlanPlace, plan: Plan, options: PublishOptions): Promise<Published> {
    const { metrics } = this.#options;
    const { text = JSON.stringify(plan), follows } = options;
    const { host } = plan;
    let { plan: published, revision } = place;
    for (let attempt = 0; attempt < CONFLICTS_MAX; attempt++) {
      if (published !== undefined && !isNewer(plan, published)) {
        if (!isNewer(published, plan)) return { kind: "as-before" };
        metrics.planPuts.inc({ outcome: "newer-found" });
        return { kind: "newer-found" };
      }
      const put = await this.#put(host, text, revision);
      if (put !== "conflict") return { kind: "published", place: { plan, revision: put } };
      ({ plan: published, revision } = await this.read(host));
      if (published === undefined || follows === undefined || !isNewer(published, follows)) continue;
      if (!isSamePoint(published, plan))
        return { kind: "unknown-found", found: { plan: published, revision } };
    }
    throw new PlansUnavailableError(`plan of ${host}: changed under each of ${CONFLICTS_MAX} writes`);
  }

  /** @returns the new revision */
  async #put(host: string, text: string, revision: number): Promise<number | "conflict"> {
    const { plans, metrics } = this.#options;
    try {
      const put = await plans.put(host, text, revision);
      metrics.planPuts.inc({ outcome: "published" });
      return put;
    } catch (cause) {
      const isConflict = cause instanceof PlanConflictError;
      metrics.planPuts.inc({ outcome: isConflict ? "conflict" : "failed" });
      if (isConflict) return "conflict";
      throw new PlansUnavailableError(`plan of ${host}: ${(cause as Error).message}`, { cause });
    }
  }

  #parse(host: string, entry: PlanEntry): Plan | undefined {
    try {
      return parseContract(planSchema, entry.data, `plan of ${host}`);
    } catch (error) {
      // One of a later version is not to be written over.
      if (!(error instanceof ContractError) || error instanceof ContractVersionError) throw error;
      this.#options.metrics.corrupt.inc({ source: "plan" });
      this.#options.log.error({ event: "published-plan-corrupt", host, err: error }, error.message);
      return undefined;
    }
  }

  async #get(host: string): Promise<PlanEntry | undefined> {
    try {
      return await this.#options.plans.get(host);
    } catch (cause) {
      throw new PlansUnavailableError(`plan of ${host}: ${(cause as Error).message}`, { cause });
    }
  }
}
