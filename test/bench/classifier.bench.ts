/**
 * The classifier as processes on real NATS and Redis, 50 guests x 4 vCPUs a host, hosts simulated: what it does at most, what a tick
 * costs with 1, 2 and 4 classifiers, and with 10 to 10,000 hosts. All shares the CPUs of one machine.
 */
import { ClassifierArm } from "./classifier-arm.ts";
import { DrainArm } from "./drain-arm.ts";
import { atLeast, below, runBench } from "./harness.ts";

const COUNTS = [1, 2, 4];
const SIZES = [10, 100, 1000, 10_000];
const HOSTS = 100;
const FLEET_PERIOD_MS = 10_000;

const withCount = (classifiers: number): string =>
  `${classifiers} classifier${classifiers === 1 ? "" : "s"}, ${HOSTS} hosts`;
const withHosts = (hosts: number): string => `1 classifier, ${hosts} hosts at 10 s`;
const DRAIN = "1 classifier, working off";

/** `--quick`: without the fleets, which take minutes. */
const sizes = process.argv.includes("--quick") ? [] : SIZES;

await runBench({
  name: "classifier",
  rounds: 5,
  warmUpRounds: 1,
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
    new DrainArm(DRAIN, { classifiers: 1, hosts: 300, periodMs: 1000, measuredMs: 0 }),
    ...sizes.map(
      (hosts) =>
        new ClassifierArm(withHosts(hosts), {
          classifiers: 1,
          hosts,
          periodMs: FLEET_PERIOD_MS,
          measuredMs: hosts > 1000 ? 20_000 : 10_000,
          isAlone: true,
        }),
    ),
  ],
  aims: (result) => {
    const median = (arm: string, figure: string): number => result(arm, figure).median;
    const cost = (classifiers: number): number => median(withCount(classifiers), "cpu_us_per_tick");
    return [
      atLeast("host-ticks a second, working off", 1000, median(DRAIN, "ticks_per_s")),
      atLeast("host-ticks a second of its CPU", 1000, 1e6 / median(DRAIN, "cpu_us_per_tick")),
      below("CPU a tick with 2 classifiers over that with 1", 1.1, cost(2) / cost(1)),
      below("CPU a tick with 4 classifiers over that with 1", 1.1, cost(4) / cost(1)),
      ...(sizes.length === 0 ? [] : fleetAims(median)),
    ];
  },
});

function fleetAims(median: (arm: string, figure: string) => number): ReturnType<typeof below>[] {
  const [small, large] = [withHosts(100), withHosts(10_000)];
  return [
    below("10,000 hosts at T_check = 10 s, part of a core", 1, median(large, "part_of_a_core")),
    atLeast("10,000 hosts at T_check = 10 s, ticks a second", 990, median(large, "ticks_per_s")),
    below("10,000 hosts, memory of the classifier in MB", 1000, median(large, "rss_mb")),
    below(
      "CPU a tick with 10,000 hosts over that with 100 (linear: 1)",
      1.3,
      median(large, "cpu_us_per_tick") / median(small, "cpu_us_per_tick"),
    ),
  ];
}
