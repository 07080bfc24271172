/** What is asked of the server: when a lost request is noticed. */
import { expect, it } from "@jest/globals";
import { pullOptions } from "./pull.ts";

it.each([
  ["sample", 1000],
  ["host", 1000],
  ["applied", 5000],
] as const)(
  "a request for messages of kind %s that was lost is noticed after %i ms, before it would end",
  (kind, ms) => {
    const { idle_heartbeat: heartbeatMs = NaN, expires = NaN } = pullOptions(kind, 16);
    // The client takes a request for lost after two signs of life that did not come.
    expect(2 * heartbeatMs).toBe(ms);
    expect(2 * heartbeatMs).toBeLessThanOrEqual(expires);
  },
);
