import { describe, expect, it } from "@jest/globals";
import { exemptionBy } from "./exemption.ts";

describe("exemptionBy", () => {
  it.each([
    ["auto", undefined, undefined],
    ["auto", "dedicated", "dedicated"],
    ["auto", "realtime", "realtime"],
    ["auto", "cpu-pm", "cpu-pm"],
    ["service", "dedicated", undefined],
    ["scientific", "cpu-pm", undefined],
    ["service", undefined, undefined],
    ["exempt", undefined, "declared"],
    ["exempt", "realtime", "declared"],
  ] as const)("declared %s, by its kind %s: %s", (declared, reason, expected) => {
    expect(exemptionBy({ class: declared }, reason)).toBe(expected);
  });
});
