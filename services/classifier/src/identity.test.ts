import { describe, expect, it } from "@jest/globals";
import { successionOf } from "./identity.ts";
import { BOOT, OTHER_BOOT } from "./testing/samples.ts";

const HEARD_MS = 1_800_000_000_000;
const HOUR_MS = 3_600_000;
const other = (uptimeMs: number, periodMs = 1000) => ({
  bootId: OTHER_BOOT,
  sequence: uptimeMs * 1000,
  periodMs,
});
const last = { bootId: BOOT, heardAtMs: HEARD_MS };

describe("successionOf", () => {
  it.each([
    ["same-boot", "a sample of the same boot", { ...other(1), bootId: BOOT }, 1000],
    ["same-boot", "one that was taken an hour before", { ...other(1), bootId: BOOT }, -HOUR_MS],
    ["booted", "a host that was up again in 20 s", other(15_000), 20_000],
    ["booted", "a host that was started by kexec", other(2000), 3000],
    ["booted", "a host that was off for a day", other(30_000), 24 * HOUR_MS],
    ["other-machine", "a machine that is up for an hour, a second after the other", other(HOUR_MS), 1000],
    ["other-machine", "a machine that came up while the other one spoke", other(20_000), 1000],
    ["other-machine", "one with a period of a minute, two periods later", other(HOUR_MS, 60_000), 120_000],
    ["booted", "a machine whose other one is silent for over a minute", other(HOUR_MS), 61_000],
    ["late", "a sample from before the boot, that comes again", other(HOUR_MS), -10_000],
    ["booted", "a host that booted, and the clock of the bus was set back by an hour", other(9000), -HOUR_MS],
  ])("%s: %s", (expected, _what, sample, sinceMs) => {
    expect(successionOf(last, sample, HEARD_MS + sinceMs)).toBe(expected);
  });

  it("takes another boot for the host's where nobody knows when it was heard", () => {
    expect(successionOf({ ...last, heardAtMs: undefined }, other(HOUR_MS), HEARD_MS)).toBe("booted");
    expect(successionOf(last, other(HOUR_MS), undefined)).toBe("booted");
  });
});
