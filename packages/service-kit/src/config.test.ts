import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { z } from "zod";
import { ConfigError, environmentName, loadConfig } from "./config.ts";

const schema = z.object({
  natsUrl: z.string().default("nats://127.0.0.1:4222"),
  beta: z.int().min(0).default(5),
  dryRun: z.boolean().default(false),
  never: z.array(z.string()).default([]),
  limits: z.strictObject({ floorCores: z.number().default(0.05) }).default({ floorCores: 0.05 }),
});

let dir: string;
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-config-"));
});
afterAll(() => rmSync(dir, { recursive: true }));

function file(text: string): string {
  const name = path.join(dir, "config.yaml");
  writeFileSync(name, text);
  return name;
}

function errorOf(read: () => unknown): string {
  try {
    read();
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return (error as Error).message;
  }
  throw new Error("no error was thrown");
}

describe("loadConfig", () => {
  it("gives the defaults when nothing is configured", () => {
    expect(loadConfig(schema, { env: {} })).toEqual({
      natsUrl: "nats://127.0.0.1:4222",
      beta: 5,
      dryRun: false,
      never: [],
      limits: { floorCores: 0.05 },
    });
  });

  it("lays the environment over the file", () => {
    const config = loadConfig(schema, {
      env: { KVMGOV_BETA: "7", KVMGOV_DRY_RUN: "true", KVMGOV_NEVER: "[a, b]" },
      file: file("beta: 3\nlimits: { floorCores: 0.1 }\n"),
    });
    expect(config).toMatchObject({ beta: 7, dryRun: true, never: ["a", "b"], limits: { floorCores: 0.1 } });
  });

  it("takes text as text, also where it looks like a number", () => {
    expect(loadConfig(schema, { env: { KVMGOV_NATS_URL: "4222" } }).natsUrl).toBe("4222");
  });

  it("finds the file that KVMGOV_CONFIG names", () => {
    expect(loadConfig(schema, { env: { KVMGOV_CONFIG: file("beta: 9\n") } }).beta).toBe(9);
  });

  it("takes an empty variable for none, as Compose gives those that are not set", () => {
    expect(loadConfig(schema, { env: { KVMGOV_CONFIG: "", KVMGOV_BETA: "" } }).beta).toBe(5);
  });

  it("takes an empty file for an empty configuration", () => {
    expect(loadConfig(schema, { env: {}, file: file("# nothing\n") }).beta).toBe(5);
  });

  it.each([
    ["an unknown key", "beta: 1\nbetta: 2\n", /config\.yaml:2: betta: /],
    ["an unknown key further down", "limits:\n  floor: 1\n", /config\.yaml:2: limits\.floor: /],
    ["a wrong value", "\nbeta: many\n", /config\.yaml:2: beta: /],
    ["what is no map", "- 1\n", /config\.yaml: must be a map/],
    ["bad YAML", "beta: [1\n", /config\.yaml: .*line 2/],
  ])("refuses %s, naming file, line and key", (_what, text, message) => {
    expect(errorOf(() => loadConfig(schema, { env: {}, file: file(text) }))).toMatch(message);
  });

  it("names the variable whose value is wrong", () => {
    expect(errorOf(() => loadConfig(schema, { env: { KVMGOV_BETA: "-1" } }))).toMatch(
      /^environment variable KVMGOV_BETA: /,
    );
  });

  it("does not take the word false for true", () => {
    expect(loadConfig(schema, { env: { KVMGOV_DRY_RUN: "false" } }).dryRun).toBe(false);
    expect(errorOf(() => loadConfig(schema, { env: { KVMGOV_DRY_RUN: "no way" } }))).toMatch(
      /KVMGOV_DRY_RUN/,
    );
  });

  it("names a file that is not there", () => {
    expect(errorOf(() => loadConfig(schema, { env: {}, file: path.join(dir, "absent") }))).toMatch(
      /absent: ENOENT/,
    );
  });
});

it("spells environment variables", () => {
  expect(environmentName("checkPeriodMs")).toBe("KVMGOV_CHECK_PERIOD_MS");
});
