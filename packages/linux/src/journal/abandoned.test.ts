import { expect, test } from "@jest/globals";
import { isAbandoned, msToNextLook } from "./abandoned.ts";

const SECOND_US = 1_000_000;
const beat = { pid: 1, bootTimeUs: 100 * SECOND_US, holding: true };

test.each([
  ["it beats, its plan holds", { ...beat, expiresAtUs: 110 * SECOND_US }, 100.2, false],
  ["silent, but its plan holds", { ...beat, expiresAtUs: 110 * SECOND_US }, 109, false],
  ["silent past its plan", { ...beat, expiresAtUs: 110 * SECOND_US }, 110.1, true],
  ["its plan is void, and it beat a moment ago", { ...beat, expiresAtUs: 99 * SECOND_US }, 101, false],
  ["its plan is void, and it is silent", { ...beat, expiresAtUs: 99 * SECOND_US }, 101.6, true],
  ["no plan, silent for less than allowed", beat, 104, false],
  ["no plan, silent for longer", beat, 105.1, true],
])("%s", (_what, heartbeat, nowS, expected) => {
  expect(isAbandoned(heartbeat, nowS * SECOND_US, 5000)).toBe(expected);
});

test.each([
  ["no heartbeat", undefined, 100, 250],
  ["a plan that holds for long", { ...beat, expiresAtUs: 110 * SECOND_US }, 100.2, 1000],
  ["a plan that is void in a little more than 2 s", { ...beat, expiresAtUs: 110 * SECOND_US }, 107.4, 600],
  ["a plan that is void in 2 s", { ...beat, expiresAtUs: 110 * SECOND_US }, 108, 250],
  ["a plan that is void", { ...beat, expiresAtUs: 110 * SECOND_US }, 120, 250],
  ["no plan, and a beat just now", beat, 100, 1000],
  ["no plan, and silent for long", beat, 103, 250],
])("looks again after: %s", (_what, heartbeat, nowS, expectedMs) => {
  expect(msToNextLook(heartbeat, nowS * SECOND_US, 5000)).toBeCloseTo(expectedMs);
});
