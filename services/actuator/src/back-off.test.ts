import { expect, it } from "@jest/globals";
import { BackOff } from "./back-off.ts";

it("waits twice as long after each failure, half a minute at most", () => {
  let nowMs = 0;
  const backOff = new BackOff(() => nowMs);
  const waits: number[] = [];
  for (let tries = 0; tries < 10; tries++) {
    expect(backOff.isDue("a", "why")).toBe(true);
    backOff.failed("a", "why");
    const since = nowMs;
    while (!backOff.isDue("a", "why")) nowMs += 100;
    waits.push(nowMs - since);
  }
  expect(waits).toEqual([200, 400, 800, 1600, 3200, 6400, 12_800, 25_600, 30_000, 30_000]);
});

it("does not wait for another reason, for something else, or after it was done", () => {
  const backOff = new BackOff(() => 0);
  for (let tries = 0; tries < 5; tries++) backOff.failed("a", "why");
  expect([backOff.isDue("a", "why"), backOff.isDue("a", "other"), backOff.isDue("b", "why")]).toEqual([
    false,
    true,
    true,
  ]);
  backOff.forget("a");
  expect(backOff.isDue("a", "why")).toBe(true);
});
