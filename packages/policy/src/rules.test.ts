import { describe, expect, it } from "@jest/globals";
import { declaredFor, NO_RULES, policyRulesSchema } from "./rules.ts";

const UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";
const rules = policyRulesSchema.parse({
  rules: [
    { match: { name: "web-*" }, class: "service", slaCores: 0.9 },
    { match: { name: "*" }, slaCores: 0.1 },
    { match: { uuid: UUID.toUpperCase() }, class: "exempt" },
    { match: { uuid: UUID }, class: "scientific" },
  ],
});

describe("declaredFor", () => {
  const other = "00000000-0000-4000-8000-000000000001";
  const metadata = { class: "scientific", source: "metadata" } as const;

  it("takes a rule by UUID before all else, whatever the case of its letters", () => {
    expect(declaredFor({ uuid: UUID, name: "web-1", metadata }, rules)).toEqual({
      class: "exempt",
      source: "rule 3",
    });
  });

  it("takes the guest's own metadata before a rule by name, which the tenant could aim at", () => {
    expect(declaredFor({ uuid: other, name: "web-1", metadata }, rules)).toEqual(metadata);
  });

  it("takes the first rule by name that matches, whole", () => {
    expect(declaredFor({ uuid: other, name: "web-1" }, rules)).toEqual({
      class: "service",
      slaCores: 0.9,
      source: "rule 1",
    });
    expect(declaredFor({ uuid: other, name: 'a:b,c="d"\n' }, rules)).toEqual({
      class: "auto",
      slaCores: 0.1,
      source: "rule 2",
    });
  });

  it("takes a declared delay along", () => {
    const delayed = policyRulesSchema.parse({ rules: [{ match: { name: "*" }, slaDelay: 0.05 }] });
    expect(declaredFor({ uuid: other, name: "x" }, delayed)).toEqual({
      class: "auto",
      slaDelay: 0.05,
      source: "rule 1",
    });
  });

  it("says auto, from nowhere, where nothing is declared", () => {
    expect(declaredFor({ uuid: other, name: "x" }, NO_RULES)).toEqual({ class: "auto" });
  });
});

describe("policyRulesSchema", () => {
  it.each([
    [{ match: { name: "a" }, class: "web" }, "class"],
    [{ match: { name: "a", uuid: UUID }, class: "auto" }, "match"],
    [{ match: {}, class: "auto" }, "match"],
    [{ match: { name: "a" } }, "0"],
    [{ match: { name: "a" }, slaCores: 0 }, "slaCores"],
    [{ match: { name: "a" }, slaCores: -1 }, "slaCores"],
    [{ match: { name: "a" }, slaCores: "1" }, "slaCores"],
    [{ match: { name: "a" }, slaDelay: 0 }, "slaDelay"],
    [{ match: { name: "a" }, slaDelay: 1.01 }, "slaDelay"],
    [{ match: { name: "a" }, slaDelay: "5%" }, "slaDelay"],
    [{ match: { name: "a" }, class: "scientific", slaDelay: 0.05 }, "slaDelay"],
    [{ match: { name: "a" }, class: "exempt", slaDelay: 0.05 }, "slaDelay"],
    [{ match: { name: "a" }, class: "auto", sla: 1 }, "0"],
    [{ match: { nmae: "a" }, class: "auto" }, "match"],
    [{ match: { uuid: "1234" }, class: "auto" }, "uuid"],
  ])("refuses %j at %s", (rule, where) => {
    const result = policyRulesSchema.safeParse({ rules: [rule] });
    expect(result.error?.issues[0]?.path.map(String)).toContain(where);
  });
});
