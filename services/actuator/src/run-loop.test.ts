/** When turns are made: that nothing waits for the long pause of an actuator that rests. */
import { afterEach, beforeEach, expect, it, jest } from "@jest/globals";
import { createLogger, Readiness } from "@kvm-governor/service-kit";
import { runLoop } from "./run-loop.ts";

beforeEach(() => void jest.useFakeTimers());
afterEach(() => void jest.useRealTimers());

/** An actuator that rests for `turnMs`, and the bus and the watch of a host. */
class Host {
  turnMs = 1000;
  isWatched = true;
  /** Milliseconds at which turns were made. */
  readonly turns: number[] = [];
  readonly notified: string[] = [];
  readonly #stop = new AbortController();
  readonly #loop: Promise<void>;
  readonly #beganAt = performance.now();
  #heard: () => void = () => undefined;
  #planCame: (data: Uint8Array) => void = () => undefined;

  constructor() {
    this.#loop = runLoop({
      actuator: this,
      bus: { plans: { watch: (_host, _signal, onPlan) => this.#watch(onPlan) } },
      host: "testhost",
      signal: this.#stop.signal,
      log: createLogger("actuator", "silent"),
      readiness: new Readiness(),
      notify: (state) => void this.notified.push(state),
      changes: {
        ensure: () => this.isWatched,
        onChange: (heard) => {
          this.#heard = heard;
        },
      },
    });
  }

  turn(): Promise<void> {
    this.turns.push(performance.now() - this.#beganAt);
    return Promise.resolve();
  }

  receive(): Promise<void> {
    return Promise.resolve();
  }

  async pass(ms: number): Promise<void> {
    await jest.advanceTimersByTimeAsync(ms);
  }

  change(): void {
    this.#heard();
  }

  plan(): void {
    this.#planCame(new Uint8Array());
  }

  async end(): Promise<void> {
    this.#stop.abort();
    await this.#loop;
  }

  #watch(onPlan: (entry: { host: string; data: Uint8Array; revision: number }) => void): Promise<void> {
    this.#planCame = (data) => onPlan({ host: "testhost", data, revision: 1 });
    return new Promise(() => undefined);
  }
}

it("rests for as long as the actuator does, where changes are heard of", async () => {
  const host = new Host();
  await host.pass(2500);
  expect(host.turns).toEqual([0, 1000, 2000]);
  expect(host.notified).toEqual(["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
  await host.end();
  expect(host.notified.at(-1)).toBe("STOPPING=1");
});

it("looks four times a second where they are not", async () => {
  const host = new Host();
  host.isWatched = false;
  await host.pass(100);
  await host.pass(1900);
  expect(host.turns).toEqual([0, 1000, 1250, 1500, 1750, 2000]);
  await host.end();
});

it("makes a turn when something changes, and not one for each of many changes", async () => {
  const host = new Host();
  await host.pass(300);
  for (let at = 0; at < 10; at++) {
    host.change();
    await host.pass(5);
  }
  await host.pass(100);
  expect(host.turns).toEqual([0, 320, 420]);
  await host.end();
});

it("does not rest on when a plan comes that holds for less", async () => {
  const host = new Host();
  await host.pass(100);
  host.turnMs = 50;
  host.plan();
  await host.pass(110);
  expect(host.turns).toEqual([0, 150, 200]);
  await host.end();
});

it("makes its turn with a plan, where the last one was a while ago", async () => {
  const host = new Host();
  host.turnMs = 2000;
  await host.pass(1500);
  host.plan();
  await host.pass(300);
  host.plan();
  await host.pass(599);
  expect(host.turns).toEqual([0, 1500]);
  await host.pass(2001);
  expect(host.turns).toEqual([0, 1500, 2400, 4400]);
  await host.end();
});
