import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";
import { Pause } from "./pause.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** Milliseconds until a pause is over; `meanwhile` by the millisecond at which it happens. */
async function lasts(
  pause: Pause,
  ms: number,
  meanwhile: Record<number, () => void> = {},
  signal = new AbortController().signal,
): Promise<number> {
  let isOver = false;
  void pause.wait(ms, signal).then(() => (isOver = true));
  for (let at = 0; at < 5000; at++) {
    await jest.advanceTimersByTimeAsync(0);
    if (isOver) return at;
    meanwhile[at]?.();
    await jest.advanceTimersByTimeAsync(0);
    if (isOver) return at;
    await jest.advanceTimersByTimeAsync(1);
  }
  throw new Error("it does not end");
}

it("lasts as long as it was asked to, and no longer than it was cut to", async () => {
  const pause = new Pause();
  expect(await lasts(pause, 1000)).toBe(1000);
  expect(await lasts(pause, 1000, { 300: () => pause.cut(20) })).toBe(320);
  expect(await lasts(pause, 1000, { 300: () => pause.cut(900) })).toBe(1000);
  expect(await lasts(pause, 1000)).toBe(1000);
});

it("keeps turns apart, however often it is cut", async () => {
  const pause = new Pause();
  const often = Object.fromEntries([1, 2, 3, 5, 8, 13].map((at) => [at, () => pause.cut(20, 100)]));
  expect(await lasts(pause, 1000, often)).toBe(100);
  expect(await lasts(pause, 1000, { 300: () => pause.cut(20, 100) })).toBe(320);
});

it("is cut by what happened while the turn was still made, once", async () => {
  const pause = new Pause();
  pause.cut(20, 100);
  pause.cut(400);
  expect(await lasts(pause, 1000)).toBe(100);
  expect(await lasts(pause, 1000)).toBe(1000);
});

it("ends with the loop", async () => {
  const pause = new Pause();
  const stop = new AbortController();
  expect(await lasts(pause, 1000, { 7: () => stop.abort() }, stop.signal)).toBe(7);
  expect(await lasts(pause, 1000, {}, stop.signal)).toBe(0);
});

it("asks for no negative time when it is cut to nothing", async () => {
  jest.useRealTimers();
  const asked = jest.spyOn(globalThis, "setTimeout");
  try {
    const pause = new Pause();
    const over = pause.wait(60_000, new AbortController().signal);
    pause.cut(0);
    await over;
    expect(asked.mock.calls.map(([, ms]) => (ms ?? 0) >= 0)).toEqual([true, true]);
  } finally {
    asked.mockRestore();
  }
});
