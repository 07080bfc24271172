import { describe, expect, it } from "@jest/globals";
import { SpanClock } from "./span-clock.ts";

/** Clocks of a machine: `at` is true time in milliseconds, `skewMs` what the wall clock is set off by. */
function clocks() {
  const machine = { at: 0, skewMs: 0 };
  const wall = (): number => Math.floor(1_800_000_000_000 + machine.at + machine.skewMs);
  return { machine, wall, clock: new SpanClock(wall, () => machine.at) };
}

describe("SpanClock", () => {
  it("tells differences below a millisecond, and is never outside the millisecond of the wall clock", () => {
    const { machine, wall, clock } = clocks();
    let before = clock.now();
    for (machine.at = 0.3; machine.at < 50; machine.at += 0.3) {
      const now = clock.now();
      expect(now - wall()).toBeGreaterThanOrEqual(0);
      expect(now - wall()).toBeLessThan(1);
      expect(now).toBeGreaterThan(before);
      before = now;
    }
    // By now it has seen how the two lie to each other.
    machine.at = 60.25;
    expect(Math.abs(clock.now() - 1_800_000_000_060.25)).toBeLessThan(0.4);
    const from = clock.now();
    machine.at += 0.125;
    expect(clock.now() - from).toBeCloseTo(0.125, 3);
  });

  it.each([5000, -5000, 0.7])("follows a wall clock that is set by %d ms", (skewMs) => {
    const { machine, wall, clock } = clocks();
    clock.now();
    machine.at = 10.5;
    machine.skewMs = skewMs;
    expect(Math.abs(clock.now() - wall())).toBeLessThan(1);
  });
});
