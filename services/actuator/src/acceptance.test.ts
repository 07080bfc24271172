import { describe, expect, it } from "@jest/globals";
import type { Plan } from "@kvm-governor/policy";
import { judgePlan, type AcceptanceContext } from "./acceptance.ts";

const bootId = "fcb5ddbd-19aa-478b-b3ea-f986bf459774";

const plan: Plan = {
  schema: 1,
  host: "h1",
  bootId,
  generation: 7,
  sequence: 5_000_000,
  expiresAtUs: 20_000_000,
  preset: "default",
  guests: [],
};

const context: AcceptanceContext = { host: "h1", bootId, nowUs: 6_000_000, planTtlMsMax: 60_000 };

const bytes = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));

describe("judging a plan", () => {
  it("accepts a good one, with its expiry", () => {
    expect(judgePlan(bytes(plan), context)).toEqual({ result: "accepted", plan, expiresAtUs: 20_000_000 });
  });

  it("tolerates unknown fields", () => {
    expect(judgePlan(bytes({ ...plan, later: 1 }), context).result).toBe("accepted");
  });

  it("does not let a plan switch off the dead-man's switch", () => {
    const judgement = judgePlan(bytes({ ...plan, expiresAtUs: Number.MAX_SAFE_INTEGER }), context);
    expect(judgement).toMatchObject({ result: "accepted", expiresAtUs: 66_000_000 });
  });

  it.each([
    ["malformed", "not JSON at all", {}],
    ["malformed", { ...plan, generation: 0 }, {}],
    ["malformed", { ...plan, guests: [{}] }, {}],
    ["wrong-host", { ...plan, host: "h2" }, {}],
    ["wrong-boot", { ...plan, bootId: "00000000-0000" }, {}],
    ["expired", plan, { nowUs: 20_000_000 }],
    ["older-generation", plan, { last: { generation: 8, sequence: 1 } }],
    ["older-sequence", plan, { last: { generation: 7, sequence: 5_000_001 } }],
    ["older-sequence", plan, { last: { generation: 6, sequence: 5_000_001 } }],
  ] as const)("refuses: %s", (reason, value, over) => {
    const data = typeof value === "string" ? Buffer.from(value) : bytes(value);
    expect(judgePlan(data, { ...context, ...over })).toMatchObject({ result: "refused", reason });
  });

  it("refuses what is larger than a message may be, without reading it", () => {
    const data = Buffer.alloc(1024 * 1024 + 1, 32);
    expect(judgePlan(data, context)).toMatchObject({ result: "refused", reason: "oversized" });
  });

  it("says that an expired plan is an earlier run's where it is the first", () => {
    const expired = { ...context, nowUs: 20_000_000 };
    expect(judgePlan(bytes(plan), expired)).toMatchObject({
      text: expect.stringMatching(/^plan of generation 7, left by an earlier run, expired \d+\.\d s ago$/),
    });
    const next = { ...expired, last: { generation: 6, sequence: 1 } };
    expect(judgePlan(bytes(plan), next)).toMatchObject({
      text: expect.stringMatching(/^plan of generation 7 expired \d+\.\d s ago$/),
    });
  });

  it("names the field that is wrong", () => {
    expect(judgePlan(bytes({ ...plan, expiresAtUs: "soon" }), context)).toMatchObject({
      text: expect.stringContaining("expiresAtUs"),
    });
  });

  it("knows the plan that it follows already from an old one", () => {
    const last = { generation: 7, sequence: 5_000_000 };
    expect(judgePlan(bytes(plan), { ...context, last, nowUs: 30_000_000 })).toEqual({ result: "repeated" });
  });

  it("accepts a renewal, and a new generation on the same sample", () => {
    const last = { generation: 7, sequence: 5_000_000 };
    expect(judgePlan(bytes({ ...plan, sequence: 5_000_001 }), { ...context, last }).result).toBe("accepted");
    expect(judgePlan(bytes({ ...plan, generation: 8 }), { ...context, last }).result).toBe("accepted");
  });
});
