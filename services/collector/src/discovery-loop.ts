/**
 * Looks for guests between two ticks: when libvirt's status files change, and from time to time. Each waking costs about
 * 0.1 ms of CPU, whatever it is for (measured): on a host whose guests libvirt reports, the looks are far apart.
 */
import type { TickClock } from "./tick-loop.ts";

/** Guests that come or go are to be noticed within a second, however long the check period is. */
const OFTEN_MS = 1000;
/** Where libvirt tells of them: a QEMU that it does not know of is noticed within this. */
const SELDOM_MS = 5000;
/** libvirt writes a file several times as it starts a guest. */
const SETTLE_MS = 20;

export interface DiscoveryLoopOptions {
  clock: TickClock;
  /** Looks for guests, unless that was done less than so many milliseconds ago. */
  look: (unlessWithinMs: number) => void;
  /** Whether guests come and go that nobody tells of. */
  isOftenNeeded: () => boolean;
}

export class DiscoveryLoop {
  readonly #options: DiscoveryLoopOptions;
  #timer: unknown;
  #soon: unknown;
  #isRunning = false;

  constructor(options: DiscoveryLoopOptions) {
    this.#options = options;
  }

  start(): void {
    this.#isRunning = true;
    this.#wait();
  }

  /** Something changed: a look follows shortly. */
  hear(): void {
    if (!this.#isRunning || this.#soon !== undefined) return;
    this.#soon = this.#options.clock.setTimer(() => {
      this.#soon = undefined;
      this.#options.look(0);
      // What was found may need more looks than before.
      this.#options.clock.clearTimer(this.#timer);
      this.#wait();
    }, SETTLE_MS);
  }

  stop(): void {
    this.#isRunning = false;
    for (const timer of [this.#timer, this.#soon]) this.#options.clock.clearTimer(timer);
  }

  /** On the multiples of the period: ticks fall on them, too, and wake the process anyway. */
  #wait(): void {
    const { clock, isOftenNeeded, look } = this.#options;
    const periodMs = isOftenNeeded() ? OFTEN_MS : SELDOM_MS;
    const nowMs = clock.nowMs();
    const dueMs = (Math.floor(nowMs / periodMs) + 1) * periodMs;
    this.#timer = clock.setTimer(() => {
      look(periodMs / 2);
      this.#wait();
    }, dueMs - nowMs);
  }
}
