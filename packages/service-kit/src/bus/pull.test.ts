/** What is asked of the server: when a lost request is noticed. */
import { expect, it } from "@jest/globals";
import { pullOptions } from "./pull.ts";

it.each([
  ["sample", 100, 1000],
  ["sample", 1000, 1000],
  ["sample", 3000, 3000],
  ["sample", 5000, 5000],
  ["sample", 60_000, 5000],
  ["host", 1000, 1000],
  ["applied", 1000, 5000],
] as const)(
  "a request for messages of kind %s that was lost is noticed, with T_check %i ms, after %i ms, before it would end",
  (kind, checkPeriodMs, ms) => {
    const { idle_heartbeat: heartbeatMs = NaN, expires = NaN } = pullOptions(kind, 16, checkPeriodMs);
    // The client takes a request for lost after two signs of life that did not come.
    expect(2 * heartbeatMs).toBe(ms);
    expect(2 * heartbeatMs).toBeLessThanOrEqual(expires);
  },
);
