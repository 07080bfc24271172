/** The beginning of a plan, read without the rest: most plans only renew one, and a fleet gets thousands a second. */
import { parseContract, planSchema } from "@kvm-governor/policy";
import type { PlanHead } from "./sim-host.ts";

const HEAD_BYTES = 512;
const HEAD =
  /^\{"schema":\d+,"host":"[^"]*","generation":(\d+),"sequence":(\d+),"expiresAtUs":(\d+),"bootId":"([^"]*)",/;

/** Of the form that our own classifier writes; any other is read as a whole. @throws {ContractError} it is no plan */
export function readPlanHead(data: Uint8Array): PlanHead {
  const match = HEAD.exec(new TextDecoder("latin1").decode(data.subarray(0, HEAD_BYTES)));
  if (match === null) return parseContract(planSchema, data, "plan");
  const [, generation, sequence, expiresAtUs, bootId = ""] = match;
  return {
    generation: Number(generation),
    sequence: Number(sequence),
    expiresAtUs: Number(expiresAtUs),
    bootId,
  };
}
