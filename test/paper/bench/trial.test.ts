/** What is worked out of the counters' readings, and how progress is told. */
import { expect, test } from "@jest/globals";
import type { Reading } from "./meter.ts";
import { progress } from "./run.ts";
import { figuresOf } from "./trial.ts";

function reading(atMs: number, processRunNs: number, rest: Partial<Reading> = {}): Reading {
  return { atMs, processRunNs, runNs: 0, delayNs: 0, switches: 0, migrations: 0, ...rest };
}

test("changes of the scientific guest's counters, the CPU of the services and of everybody else", () => {
  const from = [
    reading(1000, 5e9, { runNs: 4e9, delayNs: 1e9, switches: 100, migrations: 7 }),
    reading(1000, 1e9),
    reading(1000, 2e9),
  ];
  const to = [
    reading(5000, 10e9, { runNs: 8e9, delayNs: 3e9, switches: 350, migrations: 9 }),
    reading(5000, 2e9),
    reading(5000, 2.5e9),
  ];
  // Of 8 CPU seconds in 4 s on 2 CPUs: 5 the scientific guest's process, 1.5 the services', the rest others'.
  expect(figuresOf(from, to, 8e9)).toEqual({
    wallSeconds: 4,
    switches: 250,
    migrations: 2,
    runSeconds: 4,
    delaySeconds: 2,
    servicesCores: 1.5 / 4,
    otherCores: 1.5 / 4,
  });
});

test("the host's ticks are coarser than the guests' counters: never less than nothing is left for others", () => {
  expect(figuresOf([reading(0, 0)], [reading(1000, 1.004e9)], 1e9).otherCores).toBe(0);
});

test("progress names round and arm, and guesses the time only once an arm is done", () => {
  const step = { round: 1, arm: "static" as const, kernels: [], loadSeed: 1 };
  expect(progress(0, 12, step, 0, 12)).toMatch(
    /^\[\.{30}\] 0\/12: round 2, an expert's static set-up [^,]*, schedinfo\)$/,
  );
  expect(progress(6, 12, step, 60_000, 6)).toMatch(/^\[#{15}\.{15}\] 6\/12: .*, about 6 min left$/);
});
