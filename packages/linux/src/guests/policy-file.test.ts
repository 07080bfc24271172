import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { PolicyFile, PolicyFileError, parsePolicyFile } from "./policy-file.ts";

const VALID = `
rules:
  - match: { name: "web-*" }
    class: service
    slaCores: 0.9
  - match:
      uuid: 6F1D3A3C-0A3B-4C39-9D8E-0E6F2B3D8B11
    class: exempt
`;

describe("parsePolicyFile", () => {
  it("reads rules, and an empty file as none", () => {
    expect(parsePolicyFile(VALID, "p.yaml").rules).toEqual([
      { match: { name: "web-*" }, class: "service", slaCores: 0.9 },
      { match: { uuid: "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11" }, class: "exempt" },
    ]);
    expect(parsePolicyFile("", "p.yaml")).toEqual({ rules: [] });
    expect(parsePolicyFile("# nothing\n", "p.yaml")).toEqual({ rules: [] });
  });

  it.each([
    ["an unknown key of a rule", VALID.replace("slaCores", "slacores"), 5, /unknown key "slacores"/],
    ["an unknown key of match", VALID.replace("uuid", "id"), 7, /unknown key "id"/],
    ["an unknown key of the file", `${VALID}defaults: {}\n`, 9, /unknown key "defaults"/],
    ["a class that is none", VALID.replace("exempt", "gold"), 8, /class/],
    ["an SLA of nothing", VALID.replace("0.9", "0"), 5, /slaCores: must be more than 0/],
    [
      "a rule that declares nothing",
      "rules:\n  - match: { name: a }\n",
      2,
      /none of class, slaCores, slaDelay/,
    ],
    [
      "a delay of more than all the time",
      VALID.replace("slaCores: 0.9", "slaDelay: 5"),
      5,
      /slaDelay: must be at most 1/,
    ],
    [
      "a rule without match",
      "rules:\n  - match: { name: a }\n    class: auto\n  - class: auto\n",
      4,
      /match/,
    ],
    ["a key given twice", VALID.replace("slaCores: 0.9", "class: auto"), 5, /unique/],
    ["no YAML", "rules:\n  - match: {\n", 3, /./],
    ["a list", "- a\n", 1, /expected object/],
  ])("refuses %s by name and line", (_what, text, line, message) => {
    const error = errorOf(() => parsePolicyFile(text, "p.yaml"));
    expect(error).toBeInstanceOf(PolicyFileError);
    expect(error.message).toMatch(message);
    expect(error.message).toContain(`p.yaml:${line}: `);
  });

  it("refuses aliases that would grow without bound", () => {
    const bomb = [
      "a: &a [x]",
      ...Array.from("bcdefghij", (key, at) => `${key}: &${key} [${`*${"abcdefghij"[at]},`.repeat(20)}]`),
    ];
    expect(() => parsePolicyFile(bomb.join("\n"), "p.yaml")).toThrow(PolicyFileError);
  });
});

describe("PolicyFile", () => {
  let dir = "";
  beforeAll(() => {
    dir = mkdtempSync(join(tmpdir(), "kvmgov-policy-"));
  });
  afterAll(() => rmSync(dir, { recursive: true }));

  it("keeps the rules that it has when the file becomes invalid, or goes away", () => {
    const name = join(dir, "policy.yaml");
    const file = new PolicyFile(name);
    expect(() => file.read()).toThrow(/ENOENT/);
    expect(file.rules.rules).toEqual([]);
    writeFileSync(name, VALID);
    expect(file.read().rules).toHaveLength(2);
    writeFileSync(name, VALID.replace("slaCores", "sla"));
    expect(() => file.read()).toThrow(/policy\.yaml:5: .*unknown key "sla"/);
    expect(file.rules.rules).toHaveLength(2);
    rmSync(name);
    expect(() => file.read()).toThrow(PolicyFileError);
    expect(file.rules.rules).toHaveLength(2);
  });

  it("has no rules without a file", () => {
    expect(new PolicyFile(undefined).read()).toEqual({ rules: [] });
  });
});

function errorOf(action: () => unknown): Error {
  try {
    action();
  } catch (error) {
    if (error instanceof Error) return error;
  }
  throw new Error("did not throw");
}
