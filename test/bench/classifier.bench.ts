/**
 * The classifier as processes on real NATS and Redis, 50 guests x 4 vCPUs a host, hosts simulated: what it does at most and what a
 * tick costs with 10 to 10,000 hosts, and what a tick costs with 1, 2 and 4 classifiers. All share the CPUs of one machine.
 *
 * `--quick`: without 10,000 hosts. `--fleet`: in place of all this, fleets of 100 to 10,000 hosts once in 10 s each.
 */
import { ClassifierArm } from "./classifier-arm.ts";
import { DrainArm } from "./drain-arm.ts";
import { atLeast, below, runBench } from "./harness.ts";
import type { Aim, Lookup } from "./harness.ts";

const COUNTS = [1, 2, 4];
const HOSTS = 100;
const FLEET_PERIOD_MS = 10_000;
const LARGEST = 10_000;

const withCount = (classifiers: number): string =>
  `${classifiers} classifier${classifiers === 1 ? "" : "s"}, ${HOSTS} hosts at 1 s`;
const workingOff = (hosts: number): string => `working off, ${hosts} hosts`;
const atTenSeconds = (hosts: number): string => `${hosts} hosts at 10 s`;

function costs(): Promise<unknown> {
  const sizes = process.argv.includes("--quick") ? [10, 100, 1000] : [10, 100, 1000, LARGEST];
  return runBench({
    name: "classifier",
    rounds: 5,
    warmUpRounds: 2,
    arms: [
      ...COUNTS.map(
        (classifiers) =>
          new ClassifierArm(withCount(classifiers), {
            classifiers,
            hosts: HOSTS,
            periodMs: 1000,
            measuredMs: 3000,
          }),
      ),
      ...sizes.map(
        (hosts) =>
          new DrainArm(workingOff(hosts), {
            classifiers: 1,
            hosts,
            periodMs: 1000,
            measuredMs: 0,
            isAlone: hosts === LARGEST,
          }),
      ),
    ],
    aims: (result) => costAims(result, sizes),
  });
}

function costAims(result: Lookup, sizes: readonly number[]): Aim[] {
  const median = (arm: string, figure: string): number => result(arm, figure).median;
  const cost = (classifiers: number): number => median(withCount(classifiers), "cpu_us_per_tick");
  const largest = sizes.at(-1) ?? HOSTS;
  const costOf = (hosts: number): number => median(workingOff(hosts), "cpu_us_per_tick");
  return [
    atLeast("host-ticks a second, 1000 hosts", 1000, median(workingOff(1000), "ticks_per_s")),
    atLeast("host-ticks a second of its CPU, 1000 hosts", 1000, 1e6 / costOf(1000)),
    below("CPU a tick with 2 classifiers over that with 1", 1.1, cost(2) / cost(1)),
    below("CPU a tick with 4 classifiers over that with 1", 1.1, cost(4) / cost(1)),
    below(
      `CPU a tick with ${largest} hosts over that with 100 (linear: 1)`,
      1.3,
      costOf(largest) / costOf(100),
    ),
    below(`memory with ${largest} hosts, MB`, 1000, median(workingOff(largest), "rss_mb")),
  ];
}

function fleets(): Promise<unknown> {
  return runBench({
    name: "classifier, fleets",
    arms: [100, 1000, LARGEST].map(
      (hosts) =>
        new ClassifierArm(atTenSeconds(hosts), {
          classifiers: 1,
          hosts,
          periodMs: FLEET_PERIOD_MS,
          measuredMs: 2 * FLEET_PERIOD_MS,
          isAlone: true,
        }),
    ),
    warmUpRounds: 0,
    aims: (result) => {
      const { median: part } = result(atTenSeconds(LARGEST), "part_of_a_core");
      const { median: ticks } = result(atTenSeconds(LARGEST), "ticks_per_s");
      const { median: memory } = result(atTenSeconds(LARGEST), "rss_mb");
      return [
        below("10,000 hosts at T_check = 10 s, part of a core", 1, part),
        atLeast("10,000 hosts at T_check = 10 s, ticks a second", 990, ticks),
        below("10,000 hosts, memory of the classifier in MB", 1000, memory),
      ];
    },
  });
}

await (process.argv.includes("--fleet") ? fleets() : costs());
