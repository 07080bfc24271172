/** The part of docs/benchmarks.md about the paper's experiment, and its plots. */
import type { Aim } from "../../bench/harness.ts";
import type { Spread } from "../../bench/statistics.ts";
import { PLOTS, digits, spread, table, writePart } from "./part.ts";
import { type Bar, barChart } from "./plot.ts";
import { ARMS, ARM_NAMES, type Arm } from "./plan.ts";
import type { BenchResult } from "./record.ts";
import type { KernelSummary, Summary } from "./summary.ts";
import { gapsOf } from "./where.ts";

export interface Report {
  result: BenchResult;
  summary: Summary;
  /** By preset's arm. */
  aims: Readonly<Partial<Record<Arm, readonly Aim[]>>>;
}

/** Writes the plots, and its part of `benchmarks.md`. */
export function writePages(dir: string, report: Report): Promise<string[]> {
  return writePart(dir, "paper", partOf(report), plotsOf(report.summary));
}

export function partOf({ result, summary, aims }: Report): string {
  const { options, setting, machine, startedAt } = result;
  const where = `${machine.cpus} x ${machine.cpu}, Linux ${machine.kernel}, guests under ${setting.accelerator === "kvm" ? "KVM" : "emulation (TCG)"}`;
  const n = Math.min(...summary.kernels.map(({ seconds }) => seconds.n), options.rounds);
  return [
    "## `paper`",
    `The paper's three guests: ${startedAt.slice(0, 10)}, ${where}. Class ${options.problem}, ${n} rounds, medians with p10 and p90; ` +
      `T_check ${options.checkPeriodMs} ms, beta ${options.beta}. The fluid limit is the time alone x CPUs / (CPUs - CPU that the services got).`,
    quietness(summary),
    ...kernelTables(summary),
    ...whereTheTimeGoes(result),
    "### Services",
    table(
      [
        "guest",
        "arm",
        "cores (SLA)",
        "of its SLA",
        "throughput /s",
        "p50 ms",
        "p99 ms",
        "waits to run",
        "p99 to alone",
      ],
      summary.services.map((s) => [
        s.name,
        ARMS[s.arm],
        `${digits(s.cores.median)} (${s.slaCores})`,
        percent(s.slaGot),
        spread(s.throughput),
        spread(s.p50Ms),
        spread(s.p99Ms),
        percent(s.delayShare.median),
        times(s.p99ToAlone),
      ]),
    ),
    ...Object.entries(aims).flatMap(([arm, list]) => [
      `### Aims, ${ARMS[arm as Arm]}`,
      table(
        ["what", "aim", "measured", "met"],
        list.map((aim) => [aim.what, aim.aim, String(aim.measured), aim.met ? "yes" : "**no**"]),
      ),
    ]),
    ...Object.keys(plotsOf(summary)).map(
      (name) => `![${name.replace(/\.svg$/, "").replaceAll("-", " ")}](${PLOTS}/${name})`,
    ),
  ].join("\n\n");
}

/** Of the host's CPUs, what others may use before figures are called disturbed. Load generator and governor are among them. */
const OTHER_CORES_MAX = 0.3;

/** Absolute figures mean little when others used the machine. */
function quietness({ arms }: Summary): string {
  const others = arms.flatMap(({ otherCores }) => otherCores ?? []);
  const most = Math.max(...others);
  const range = `${digits(Math.min(...others))} to ${digits(most)} cores`;
  const verdict =
    most > OTHER_CORES_MAX ? " **The machine was not quiet: these figures are disturbed.**" : "";
  return `What is no guest of the experiment (load generator, governor, others) used ${range} in the mean, by arm.${verdict}`;
}

function kernelTables(summary: Summary): string[] {
  const kernels = [...new Set(summary.kernels.map(({ kernel }) => kernel))];
  return kernels.flatMap((kernel) => [
    `### ${kernel}`,
    table(
      [
        "arm",
        "seconds",
        "to default",
        "to alone",
        "to fluid limit",
        "switches",
        "to default",
        "migrations",
        "run delay s",
      ],
      summary.kernels
        .filter((each) => each.kernel === kernel)
        .map((k) => [
          ARMS[k.arm],
          spread(k.seconds),
          times(k.timeToDefault),
          times(k.timeToAlone),
          times(k.timeToFluid),
          spread(k.switches),
          times(k.switchesToDefault),
          spread(k.migrations),
          spread(k.delaySeconds),
        ]),
    ),
  ]);
}

/** Of the gap to the guest alone. */
function whereTheTimeGoes({ runs, setting }: BenchResult): string[] {
  const gaps = gapsOf(runs);
  if (gaps.length === 0) return [];
  const part = (value: number, of: number): string =>
    of <= 0 ? digits(value) : `${digits(value)} (${percent(value / of)})`;
  return [
    "### Where the time goes",
    "By the kernel's own trace of the vCPUs (`sched_switch`, `sched_waking`): seconds by which a kernel took longer than alone, mean over the vCPUs, and what they " +
      "consist of. _CPU taken_: a vCPU was runnable and had no CPU. _In vain_: it ran while another of the guest had none; at a barrier it spins then. " +
      `_Asleep_: at a barrier, or until it was woken. _Slower_: the same work took longer while nobody was kept waiting: switching, migration, caches${setting.accelerator === "tcg" ? ", and what emulation makes of them" : ""}.`,
    table(
      [
        "kernel",
        "arm",
        "longer by s",
        "CPU taken",
        "in vain",
        "asleep",
        "slower",
        "more switches",
        "more migrations",
      ],
      gaps.map((gap) => [
        gap.kernel,
        ARMS[gap.arm],
        digits(gap.seconds),
        part(gap.taken, gap.seconds),
        part(gap.inVain, gap.seconds),
        part(gap.asleep, gap.seconds),
        part(gap.slower, gap.seconds),
        digits(gap.switches),
        digits(gap.migrations),
      ]),
    ),
  ];
}

export function plotsOf(summary: Summary): Record<string, string> {
  const kernels = [...new Set(summary.kernels.map(({ kernel }) => kernel))];
  const arms = ARM_NAMES.filter((arm) => summary.kernels.some((each) => each.arm === arm));
  const relative = (field: "seconds" | "switches") =>
    kernels.map((kernel) => {
      const of = (arm: Arm): KernelSummary | undefined =>
        summary.kernels.find((each) => each.kernel === kernel && each.arm === arm);
      const base = of("default")?.[field].median;
      return { name: kernel, bars: arms.map((arm) => barOf(of(arm)?.[field], base)) };
    });
  const webArms = ARM_NAMES.filter((arm) =>
    summary.services.some((each) => each.name === "web" && each.arm === arm),
  );
  const web = (["p50Ms", "p99Ms"] as const).map((field) => ({
    name: field === "p50Ms" ? "p50" : "p99",
    bars: webArms.map((arm) =>
      barOf(summary.services.find((s) => s.name === "web" && s.arm === arm)?.[field], 1),
    ),
  }));
  const series = (names: readonly Arm[]): string[] => names.map((arm) => SHORT_NAMES[arm]);
  return {
    "paper-run-time.svg": barChart({
      title: "Run time of the kernels",
      axis: "KVM's default = 1",
      series: series(arms),
      groups: relative("seconds"),
      mark: 1,
    }),
    "paper-switches.svg": barChart({
      title: "Context switches of the scientific guest's vCPUs",
      axis: "KVM's default = 1",
      series: series(arms),
      groups: relative("switches"),
      mark: 1,
    }),
    "paper-web-latency.svg": barChart({
      title: "Latency of the web guest",
      axis: "milliseconds",
      series: series(webArms),
      groups: web,
    }),
  };
}

const SHORT_NAMES: Record<Arm, string> = {
  default: "KVM default",
  static: "expert, static",
  paper: "preset paper",
  governor: "preset default",
  limited: "serviceLimit sla",
  alone: "alone",
  services: "services alone",
};

function barOf(value: Spread | undefined, base: number | undefined): Bar | undefined {
  if (value === undefined || !base) return undefined;
  return { value: value.median / base, low: value.p10 / base, high: value.p90 / base };
}

const times = (value: number | null): string => (value === null ? "" : value.toFixed(2));
const percent = (value: number | null): string => (value === null ? "" : `${(value * 100).toFixed(0)}%`);
