import { expect, test } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import { expectedSlowness, measureSlowness, slownessOf } from "./slowness.ts";

test("limits stretch with what a start takes, and never shrink", () => {
  expect(slownessOf([2000, 2000, 2000])).toBe(1);
  expect(slownessOf([9000, 20_000, 1000])).toBe(4.5);
  expect(slownessOf([10, 10, 10])).toBe(1);
});

test("a start is measured from its beginning to its end", async () => {
  let starts = 0;
  const slowness = await measureSlowness(() => sleep(starts++ === 1 ? 2500 : 1));
  // The middle of three: one that was slow does not count, nor one that was quick.
  expect([starts, slowness]).toEqual([3, 1]);
});

test("before a host is up, the machine's load tells", () => {
  expect(expectedSlowness([40, 1, 1], 2)).toBe(20);
  expect(expectedSlowness([0.5, 1, 1], 2)).toBe(1);
});
