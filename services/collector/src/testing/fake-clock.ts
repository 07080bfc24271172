/** For tests: time that passes when they say so. */
import type { TickClock } from "../tick-loop.ts";

/** Timers that fire when the test says so. */
export class FakeClock implements TickClock {
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
