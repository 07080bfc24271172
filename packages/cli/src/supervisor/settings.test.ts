import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { givenSettings, SettingsError, type SettingsFlags } from "./settings.ts";

describe("givenSettings", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), "kvmgov-settings-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it("are the options as typed, and the time to live of plans in milliseconds", () => {
    const given = givenSettings({ alpha: "0.5", period: "200" }, { KVMGOV_PLAN_TTL_MS: "2000" });
    expect(given).toEqual({
      variables: {
        ALPHA: "0.5",
        CHECK_PERIOD_MS: "200",
        BETA: undefined,
        PRESET: undefined,
        POLICY_FILE: undefined,
      },
      planTtlMs: 2000,
    });
    expect(givenSettings({}, { KVMGOV_PLAN_TTL_MS: "" }).planTtlMs).toBe(10_000);
  });

  it.each<[SettingsFlags, NodeJS.ProcessEnv, RegExp]>([
    [{ alpha: "7" }, {}, /^--alpha "7": .*<=1/],
    [{ alpha: "7" }, { KVMGOV_ALPHA: "0.5" }, /^--alpha "7"/],
    [{ beta: "-1" }, {}, /^--beta "-1"/],
    [{ period: "fast" }, {}, /^--period "fast"/],
    [{}, { KVMGOV_PLAN_TTL_MS: "10s" }, /^environment variable KVMGOV_PLAN_TTL_MS: .*number/],
    [{ period: "6000" }, {}, /10000 is less than two check periods of 6000 ms.*KVMGOV_PLAN_TTL_MS/],
  ])("%j with %j are refused by name", (flags, env, message) => {
    expect(() => givenSettings(flags, env)).toThrow(SettingsError);
    expect(() => givenSettings(flags, env)).toThrow(message);
  });

  it("do not read a file of the services' own", () => {
    expect(givenSettings({}, { KVMGOV_CONFIG: path.join(dir, "none.yaml") }).planTtlMs).toBe(10_000);
  });

  it("have a policy file that can be used, named so that every directory finds it", () => {
    const file = path.join(dir, "policy.yaml");
    expect(() => givenSettings({ policy: file }, {})).toThrow(`${file}: ENOENT`);
    writeFileSync(file, "rulez: []\n");
    expect(() => givenSettings({}, { KVMGOV_POLICY_FILE: file })).toThrow(`${file}:1: unknown key "rulez"`);
    writeFileSync(file, "rules: []\n");
    const relative = path.relative(process.cwd(), file);
    expect(givenSettings({ policy: relative }, {}).variables["POLICY_FILE"]).toBe(file);
  });
});
