/** Whether a plan may be followed: pure. A plan steers root, so that every doubt is a refusal. */
import { ContractError, MESSAGE_BYTES_MAX, type Plan, type PublishedPlan } from "@kvm-governor/policy";
import type { Span } from "@kvm-governor/service-kit";
import { PlanReader } from "./plan-reader.ts";

export const REFUSAL_REASONS = [
  "oversized",
  "malformed",
  "wrong-host",
  "wrong-boot",
  "expired",
  "older-generation",
  "older-sequence",
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

export interface Refusal {
  result: "refused";
  reason: RefusalReason;
  text: string;
  /** W3C traceparent of the plan, unchecked, where it could be read. */
  traceparent?: string | undefined;
}

/** An accepted plan. */
export interface Followed {
  plan: Plan;
  /** When it is void, in microseconds of CLOCK_BOOTTIME. */
  expiresAtUs: number;
  /** W3C traceparent that it came with, unchecked. */
  traceparent?: string | undefined;
  /** In which it is worked off. */
  span?: Span;
}

export type Judgement =
  | ({ result: "accepted" } & Followed)
  /** The plan that is followed already, once more (after a reconnect). */
  | { result: "repeated"; traceparent?: string | undefined }
  | Refusal;

export interface AcceptanceContext {
  host: string;
  bootId: string;
  /** CLOCK_BOOTTIME in microseconds. */
  nowUs: number;
  /** The plan that is followed, or was last. */
  last?: Pick<Plan, "generation" | "sequence"> | undefined;
  /** Longest that any plan holds, in milliseconds: a wrong expiry must not switch off the dead-man's switch. */
  planTtlMsMax: number;
}

const refuse = (reason: RefusalReason, text: string): Refusal => ({ result: "refused", reason, text });

/** Judges what came under the host's key. Never throws. */
export function judgePlan(
  data: Uint8Array,
  context: AcceptanceContext,
  reader: Pick<PlanReader, "read"> = new PlanReader(),
): Judgement {
  if (data.length > MESSAGE_BYTES_MAX) {
    return refuse(
      "oversized",
      `plan is ${data.length} bytes long, at most ${MESSAGE_BYTES_MAX} are accepted`,
    );
  }
  try {
    return judge(reader.read(data), context);
  } catch (error) {
    if (error instanceof ContractError) return refuse("malformed", error.message);
    throw error;
  }
}

function judge({ traceparent, ...plan }: PublishedPlan, context: AcceptanceContext): Judgement {
  return { ...judgePlain(plan, context), traceparent };
}

function judgePlain(plan: Plan, { host, bootId, nowUs, last, planTtlMsMax }: AcceptanceContext): Judgement {
  if (plan.host !== host) return refuse("wrong-host", `plan is for host ${plan.host}`);
  if (plan.bootId !== bootId) return refuse("wrong-boot", `plan is for boot ${plan.bootId}`);
  const { generation, sequence } = plan;
  if (last?.generation === generation && last.sequence === sequence) return { result: "repeated" };
  if (plan.expiresAtUs <= nowUs) {
    const seconds = ((nowUs - plan.expiresAtUs) / 1e6).toFixed(1);
    const whose = last === undefined ? ", left by an earlier run," : "";
    return refuse("expired", `plan of generation ${generation}${whose} expired ${seconds} s ago`);
  }
  if (last !== undefined && generation < last.generation) {
    return refuse("older-generation", `generation ${generation} is older than ${last.generation}`);
  }
  if (last !== undefined && sequence < last.sequence) {
    return refuse("older-sequence", `sequence ${sequence} is older than ${last.sequence}`);
  }
  const expiresAtUs = Math.min(plan.expiresAtUs, nowUs + planTtlMsMax * 1000);
  return { result: "accepted", plan, expiresAtUs };
}
