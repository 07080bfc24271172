/**
 * What the manager costs a fully loaded host. A round is four windows of one tick each: on, off, off, on, or the other way round, so that
 * what drifts on the machine (its clock rate, neighbours on the same iron) is on both sides alike. Off: the manager stands still and its
 * plan stays in force, so only what it costs differs, not what it does for guests.
 */
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Arm, Figures } from "./harness.ts";
import { CHECK_PERIOD_MS, OverheadHost, SERVICES } from "./overhead-host.ts";

/** Always with one tick in it. */
const WINDOW_MS = CHECK_PERIOD_MS;
/** After the manager was let go or held: what was late is done by then. */
const SETTLE_MS = 1000;
const ON_FIRST = [true, false, false, true];
const OFF_FIRST = [false, true, true, false];

interface Window {
  elapsedMs: number;
  solverMs: number;
  solverRounds: number;
  /** By service and server. */
  usedMs: ReadonlyMap<string, number>;
}

export class OverheadArm implements Arm {
  readonly name: string;
  /** Guests of another arm would be found, and load the host. */
  readonly isAlone = true;
  readonly rounds: number;
  readonly #host: OverheadHost;
  readonly #wanted: number;
  #isOn = true;
  #round = 0;

  /** @param dir for data, removed by the caller */
  constructor(guests: number, rounds: number, dir: string) {
    this.name = `${guests} guests`;
    this.rounds = rounds;
    this.#wanted = guests;
    this.#host = new OverheadHost(guests, join(dir, `overhead-${guests}`));
  }

  setUp(): Promise<void> {
    return this.#host.start();
  }

  async measure(): Promise<Figures> {
    const on: Window[] = [];
    const off: Window[] = [];
    for (const isOn of this.#round++ % 2 === 0 ? ON_FIRST : OFF_FIRST) {
      if (isOn !== this.#isOn) {
        this.#isOn = isOn;
        await this.#host.run(isOn);
        await sleep(SETTLE_MS);
      }
      (isOn ? on : off).push(await this.#window());
    }
    const [running, still] = [sumOf(on), sumOf(off)];
    if (managerMs(still) > 0) throw new Error("the manager ran while it was to stand still");
    return {
      ...costOf(running),
      ...memoryOf(this.#host.residentMb()),
      ...slowDown(running, still),
      guests: this.#wanted,
      real_guests: this.#host.guestsRunning,
    };
  }

  async tearDown(): Promise<void> {
    await this.#host.stop();
  }

  async #window(): Promise<Window> {
    const from = { cpuMs: this.#host.cpuMs(), work: await this.#host.work(), ms: performance.now() };
    await sleep(WINDOW_MS);
    const work = await this.#host.work();
    const elapsedMs = performance.now() - from.ms;
    const to = this.#host.cpuMs();
    return {
      elapsedMs,
      solverMs: work.cpuMs - from.work.cpuMs,
      solverRounds: work.rounds - from.work.rounds,
      usedMs: new Map([...to].map(([name, ms]) => [name, ms - (from.cpuMs.get(name) ?? NaN)])),
    };
  }
}

function sumOf(windows: readonly Window[]): Window {
  const sum = (of: (window: Window) => number): number =>
    windows.reduce((total, window) => total + of(window), 0);
  const names = [...(windows[0]?.usedMs.keys() ?? [])];
  return {
    elapsedMs: sum(({ elapsedMs }) => elapsedMs),
    solverMs: sum(({ solverMs }) => solverMs),
    solverRounds: sum(({ solverRounds }) => solverRounds),
    usedMs: new Map(names.map((name) => [name, sum(({ usedMs }) => usedMs.get(name) ?? NaN)])),
  };
}

function managerMs({ usedMs }: Window): number {
  return SERVICES.reduce((sum, name) => sum + (usedMs.get(name) ?? NaN), 0);
}

function costOf(running: Window): Figures {
  const figures: Figures = { manager_cpu_percent_of_core: (managerMs(running) / running.elapsedMs) * 100 };
  for (const [name, ms] of running.usedMs)
    figures[`${name}_cpu_percent_of_core`] = (ms / running.elapsedMs) * 100;
  return figures;
}

function memoryOf(residentMb: ReadonlyMap<string, number>): Figures {
  const figures: Figures = {
    manager_rss_mb: SERVICES.reduce((sum, name) => sum + (residentMb.get(name) ?? NaN), 0),
  };
  for (const [name, mb] of residentMb) figures[`${name}_rss_mb`] = mb;
  return figures;
}

/**
 * Three ways to see it, each as what is without over what is with, less 1: the work that the solver completes, whose vCPUs wait
 * for each other; the CPU time that it gets; and its work for a unit of CPU time, where emptied caches show, and waiting.
 */
function slowDown(running: Window, still: Window): Figures {
  const percent = (of: (window: Window) => number): number => (of(still) / of(running) - 1) * 100;
  return {
    slow_down_percent: percent(({ solverRounds, elapsedMs }) => solverRounds / elapsedMs),
    solver_cpu_lost_percent: percent(({ solverMs, elapsedMs }) => solverMs / elapsedMs),
    solver_work_per_cpu_lost_percent: percent(({ solverRounds, solverMs }) => solverRounds / solverMs),
    solver_on_rounds_per_s: (running.solverRounds * 1000) / running.elapsedMs,
    solver_off_rounds_per_s: (still.solverRounds * 1000) / still.elapsedMs,
    solver_on_cores: running.solverMs / running.elapsedMs,
    solver_off_cores: still.solverMs / still.elapsedMs,
  };
}
