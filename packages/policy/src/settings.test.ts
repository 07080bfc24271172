import { describe, expect, it } from "@jest/globals";
import { coolDownUs, downThreshold, presetSettings, settingsSchema } from "./settings.ts";

describe("settings", () => {
  it("have a default for everything", () => {
    expect(settingsSchema.parse({})).toMatchObject({
      preset: "default",
      checkPeriodMs: 1000,
      alpha: 0.7,
      beta: 5,
      signal: "demand",
      heldBackFrom: 0.9,
      alphaDown: 0.4,
      coolDownMs: 3_600_000,
    });
  });

  it.each([
    ["an unknown key", { alfa: 0.5 }],
    ["alpha of 0", { alpha: 0 }],
    ["alpha above 1", { alpha: 1.01 }],
    ["alphaDown above 1", { alphaDown: 1.1 }],
    ["a negative cool-down", { coolDownMs: -1 }],
    ["a negative beta", { beta: -1 }],
    ["half a beta", { beta: 2.5 }],
    ["an unknown preset", { preset: "fast" }],
    ["a minimum that the kernel refuses", { minimumVcpuCores: 0.001 }],
    ["a period that the kernel refuses", { bandwidthPeriodUs: 999 }],
  ])("refuse %s", (_, value) => {
    expect(settingsSchema.safeParse(value).success).toBe(false);
  });

  it("take what is given in place of the defaults, and the preset that is named", () => {
    const settings = presetSettings("paper", { beta: 2, preset: "default" });
    expect(settings).toMatchObject({ preset: "paper", beta: 2, alpha: 0.7 });
    expect(() => presetSettings("paper", { beta: -2 })).toThrow();
  });

  it("have two thresholds and a cool-down in preset default, never in preset paper", () => {
    const both = { alpha: 0.7, alphaDown: 0.4, coolDownMs: 5000 };
    expect(downThreshold(presetSettings("default", both))).toBe(0.4);
    expect(coolDownUs(presetSettings("default", both))).toBe(5_000_000);
    expect(downThreshold(presetSettings("paper", both))).toBe(0.7);
    expect(coolDownUs(presetSettings("paper", both))).toBe(0);
  });

  it("never have the lower threshold above alpha", () => {
    expect(downThreshold(presetSettings("default", { alpha: 0.3 }))).toBe(0.3);
  });
});
