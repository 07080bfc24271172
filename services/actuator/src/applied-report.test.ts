import { describe, expect, it } from "@jest/globals";
import { appliedSchema, MESSAGE_BYTES_MAX, type Applied } from "@kvm-governor/policy";
import { boundedReport } from "./applied-report.ts";

const uuid = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";
const write = {
  guest: uuid,
  target: "vcpu 0",
  setting: "cpus",
  file: "x".repeat(300),
  old: "",
  wanted: "0",
} as const;

const report = (writes: Applied["writes"]): Applied => ({
  schema: 1,
  host: "h1",
  bootId: "fcb5ddbd-19aa",
  generation: 1,
  sequence: 1,
  readBackAtUs: 2,
  verified: 3,
  writes,
  drift: [],
  skipped: [],
});

describe("a report for the bus", () => {
  it("is left as it is where it fits", () => {
    const small = report([write]);
    expect(boundedReport(small)).toBe(small);
  });

  it("keeps errors when it does not fit", () => {
    const failed = { ...write, error: "EINVAL" };
    const bounded = boundedReport(report([...Array<typeof write>(4000).fill(write), failed]));
    expect(bounded.writes).toEqual([failed]);
  });

  it("is a valid message even when there are too many errors", () => {
    const bounded = boundedReport(
      report(Array(9000).fill({ ...write, error: "EINVAL" }) as Applied["writes"]),
    );
    expect(JSON.stringify(bounded).length).toBeLessThan(MESSAGE_BYTES_MAX);
    expect(bounded.writes.length).toBeGreaterThan(1000);
    expect(appliedSchema.parse(bounded)).toEqual(bounded);
  });
});
