/**
 * What the whole manager costs a host at T_check 5 s: CPU and memory of collector, classifier and actuator with 4, 40 and 200 guests
 * (NATS and Redis apart: they serve a fleet), and how much slower a fully loaded host is with it than without. `--only N`: one
 * size; `--rounds N`: so many rounds. Needs root, /dev/kvm and cgroup v1.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { below, runBench, type Aim, type Lookup } from "./harness.ts";
import { OverheadArm } from "./overhead-arm.ts";

const SIZES = [4, 40, 200];
/** Ranks 3 to 10 of them are the interval of the median. */
const ROUNDS = 12;
/** Of the aim: below 1% of one core, and nothing that can be measured. */
const AIMED_AT = 40;

const only = numberAfter("--only");
if (only !== undefined && !SIZES.includes(only)) throw new Error(`--only takes one of ${SIZES.join(", ")}`);
const sizes = only === undefined ? SIZES : [only];

function numberAfter(option: string): number | undefined {
  const at = process.argv.indexOf(option);
  return at === -1 ? undefined : Number(process.argv[at + 1]);
}

/** A slow-down of more than this would be seen, in percent. */
const SEEN_PERCENT = 1;

/** Where the other guests leave the solver less, in cores, what it loses says nothing: they load the host, not it. */
const SOLVER_CORES_MIN = 0.5;

/** Nothing that can be measured: were there a slow-down of {@link SEEN_PERCENT}, the interval would not end below it. */
function aims(figure: Lookup): Aim[] {
  return sizes.flatMap((size) => {
    const arm = `${size} guests`;
    const cpu = figure(arm, "manager_cpu_percent_of_core").median;
    const losses =
      figure(arm, "solver_off_cores").median < SOLVER_CORES_MIN
        ? []
        : ["slow_down_percent", "solver_cpu_lost_percent"];
    return [
      ...(size === AIMED_AT ? [below(`${arm}: CPU of the manager, % of one core`, 1, cpu)] : []),
      ...losses.map((name) =>
        below(`${arm}: ${name}, upper end of its 95% interval`, SEEN_PERCENT, figure(arm, name).medianHigh),
      ),
    ];
  });
}

const dir = mkdtempSync(join(tmpdir(), "kvmgov-bench-"));
try {
  await runBench({
    name: "overhead",
    warmUpRounds: 1,
    arms: sizes.map((size) => new OverheadArm(size, numberAfter("--rounds") ?? ROUNDS, dir)),
    aims,
  });
} finally {
  rmSync(dir, { recursive: true, force: true });
}
