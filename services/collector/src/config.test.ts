import { describe, expect, it } from "@jest/globals";
import { readConfig } from "./config.ts";

describe("readConfig", () => {
  it("has defaults for all but the host's id where there is no machine id", () => {
    expect(readConfig({ KVMGOV_HOST_ID: "h1" })).toMatchObject({
      hostId: "h1",
      listen: "127.0.0.1:9471",
      checkPeriodMs: 1000,
      perf: "auto",
      procRoot: "/proc",
    });
  });

  it.each([
    [{ KVMGOV_CHECK_PERIOD_MS: "10" }, /KVMGOV_CHECK_PERIOD_MS/],
    [{ KVMGOV_PERF: "yes" }, /KVMGOV_PERF/],
    [{ KVMGOV_HOST_ID: "a b" }, /KVMGOV_HOST_ID/],
  ])("refuses %j by name", (env, problem) => {
    expect(() => readConfig({ KVMGOV_HOST_ID: "h1", ...env })).toThrow(problem);
  });
});
