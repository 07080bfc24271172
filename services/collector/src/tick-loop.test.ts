import { describe, expect, it } from "@jest/globals";
import { FakeClock } from "./testing/fake-clock.ts";
import { TickLoop } from "./tick-loop.ts";

function looped(clock: FakeClock, work: () => void = () => undefined) {
  const ticks: { at: number; late: number }[] = [];
  const missed: number[] = [];
  const loop = new TickLoop({
    periodMs: 100,
    clock,
    onTick: (late) => {
      ticks.push({ at: clock.now, late });
      work();
    },
    onMissed: (count) => missed.push(count),
  });
  loop.start();
  return { loop, ticks, missed };
}

describe("TickLoop", () => {
  it("ticks on the multiples of the period and does not drift, however late each timer is", () => {
    const clock = new FakeClock();
    clock.now = 1042;
    clock.extraMs = [3, 7, 0, 9];
    const { ticks, missed } = looped(clock);
    for (let n = 0; n < 4; n++) clock.fire();
    expect(ticks).toEqual([
      { at: 1103, late: 3 },
      { at: 1207, late: 7 },
      { at: 1300, late: 0 },
      { at: 1409, late: 9 },
    ]);
    expect(missed).toEqual([]);
  });

  it("leaves out ticks that it missed, and counts them", () => {
    const clock = new FakeClock();
    const busy = [250, 0];
    const { ticks, missed } = looped(clock, () => (clock.now += busy.shift() ?? 0));
    clock.fire();
    clock.fire();
    expect(ticks.map(({ at }) => at)).toEqual([100, 400]);
    expect(missed).toEqual([2]);
  });

  it("waits on where a timer fires early, and keeps the rhythm where it is early by less than a millisecond", () => {
    const clock = new FakeClock();
    clock.extraMs = [-30, 0, -0.5];
    const { ticks } = looped(clock);
    for (let n = 0; n < 3; n++) clock.fire();
    expect(ticks.map(({ at }) => at)).toEqual([100, 199.5]);
    clock.fire();
    expect(ticks.map(({ at }) => at)).toEqual([100, 199.5, 300]);
  });

  it("stops, also from within a tick", () => {
    const clock = new FakeClock();
    const { loop } = looped(clock, () => loop.stop());
    clock.fire();
    expect(clock.waiting).toBe(0);
  });
});
