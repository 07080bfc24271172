import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "@jest/globals";
import { presetSettings } from "@kvm-governor/policy";
import { ConfigError } from "@kvm-governor/service-kit";
import { readConfig } from "./config.ts";

const directory = mkdtempSync(join(tmpdir(), "kvmgov-classifier-config-"));
afterAll(() => rmSync(directory, { recursive: true }));

function file(yaml: string): string {
  const path = join(directory, "classifier.yaml");
  writeFileSync(path, yaml);
  return path;
}

describe("readConfig", () => {
  it("needs nothing", () => {
    const config = readConfig({});
    expect(config).toMatchObject({ listen: "127.0.0.1:9472", redisUrl: "redis://127.0.0.1:6379" });
    expect(config.settings).toEqual(presetSettings("default"));
  });

  it("takes settings from the file, and the environment over it", () => {
    const env = {
      KVMGOV_CONFIG: file("alpha: 0.5\nbeta: 9\npreset: paper\n"),
      KVMGOV_BETA: "2",
      KVMGOV_CHECK_PERIOD_MS: "250",
    };
    expect(readConfig(env).settings).toMatchObject({
      alpha: 0.5,
      beta: 2,
      preset: "paper",
      checkPeriodMs: 250,
    });
  });

  it.each([
    ["an unknown key", "gamma: 1\n", {}, /gamma/],
    ["a value out of range", "alpha: 1.5\n", {}, /classifier\.yaml:1: alpha/],
    ["a wrong variable", "", { KVMGOV_ALPHA: "high" }, /KVMGOV_ALPHA/],
    ["plans that one late sample ends", "planTtlMs: 1500\n", {}, /planTtlMs.*1500.*1000/],
  ])("refuses %s", (_what, yaml, env, message) => {
    const read = (): unknown => readConfig({ ...env, KVMGOV_CONFIG: file(yaml) });
    expect(read).toThrow(ConfigError);
    expect(read).toThrow(message);
  });
});
