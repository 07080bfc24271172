import { describe, expect, it } from "@jest/globals";
import { TickLoop, type TickClock } from "./tick-loop.ts";

/** Timers that fire when the test says so. */
class FakeClock implements TickClock {
  now = 0;
  /** How long each timer takes longer than asked, in turn. */
  extraMs: number[] = [];
  #timers = new Map<number, { atMs: number; run: () => void }>();
  #id = 0;
  nowMs = (): number => this.now;
  setTimer = (run: () => void, delayMs: number): number => {
    this.#timers.set(++this.#id, { atMs: this.now + delayMs + (this.extraMs.shift() ?? 0), run });
    return this.#id;
  };
  clearTimer = (timer: unknown): void => void this.#timers.delete(timer as number);
  get waiting(): number {
    return this.#timers.size;
  }
  fire(): void {
    const [id, timer] = [...this.#timers].sort((a, b) => a[1].atMs - b[1].atMs)[0] ?? [];
    if (id === undefined || timer === undefined) return;
    this.#timers.delete(id);
    this.now = Math.max(this.now, timer.atMs);
    timer.run();
  }
}

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
