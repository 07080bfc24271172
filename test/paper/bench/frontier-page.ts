/** What the frontier says, as a table for people, the part of docs/benchmarks.md, and a plot. */
import type { BenchReport } from "../../bench/harness.ts";
import type { FrontierOptions } from "./frontier-options.ts";
import type { Place, Range } from "./frontier.ts";
import { PLOTS, digits, spread, table, writePart } from "./part.ts";
import { scatterPlot } from "./scatter.ts";
import { SIZES } from "./plan.ts";
import { ALONE, REFERENCES, WAYS } from "./ways.ts";

export interface FrontierReport extends BenchReport {
  options: FrontierOptions;
  accelerator: "kvm" | "tcg";
  startedAt: string;
  frontier: readonly Place[];
}

const PLOT = "frontier.svg";

/** What is compared; true of every run. */
export const INTRODUCTION = [
  "Ways of holding the paper's guests ([what they do](../test/paper/README.md)), each a raw setting of the kernel, without the governor: control files of " +
    "cgroup v1, affinities, EEVDF slices. All arms are taken in turns in one run, and after each everything is compared byte for byte with " +
    "what was there before the first. Weights are `cpu.shares` of the scientific guest against one service; windows are a quota on all of its vCPUs " +
    "together, of what the services' SLAs leave.",
  "Time is the geometric mean of the kernels' times against the scientific guest alone; p99 of latency and CPU of the services are held against the " +
    "services alone. A way is on the frontier where no other way is as good in time, web p99 and pc p99, and better in one of them.",
].join("\n\n");

/** The table of ways. */
export function frontierTable(places: readonly Place[]): string {
  return table(
    [
      "way",
      "what is set",
      "time to alone",
      "web p99 to alone",
      "web p99 ms",
      "pc p99 to alone",
      "pc p99 ms",
      "cores that services got",
      "frontier",
    ],
    places.map((place) => [
      `\`${place.way}\``,
      WAYS.get(place.way)?.what ?? "",
      range(place.time),
      range(place.webP99),
      digits(place.webP99Ms),
      range(place.pcP99),
      digits(place.pcP99Ms),
      `${(100 * place.servicesCores).toFixed(0)}%`,
      place.isFrontier ? "**yes**" : "",
    ]),
  );
}

export function frontierPart(report: FrontierReport): string {
  const { machine, options, accelerator, startedAt, frontier } = report;
  const rounds = Math.min(
    ...report.results.flatMap(({ figures }) => Object.values(figures).map(({ n }) => n)),
  );
  const { what } = SIZES[options.size];
  const measured = [
    `${startedAt.slice(0, 10)}, ${machine.cpus} x ${machine.cpu}, Linux ${machine.kernel}, guests under ` +
      `${accelerator === "kvm" ? "KVM" : "emulation (TCG)"}; kernels ${options.kernels.join(", ")}, class S; ${what}; ` +
      `${rounds === 1 ? "one round" : `${rounds} rounds, medians with p10 and p90`}.`,
    quietness(report),
    frontierTable(frontier),
  ];
  if (options.size !== "usual") return [`## \`frontier --load ${options.size}\``, ...measured].join("\n\n");
  return [
    "## `frontier`",
    INTRODUCTION,
    ...measured,
    `![time against latency of the ways](${PLOTS}/${PLOT})`,
    "### What the scientific guest's vCPUs did",
    vcpuTable(report),
  ].join("\n\n");
}

/** What the load generator and others on the machine used: absolute times mean little where it is much. */
function quietness({ results }: FrontierReport): string {
  const others = results.flatMap(({ figures }) => figures["other_cores"]?.median ?? []);
  return `What is no guest of the experiment used ${digits(Math.min(...others))} to ${digits(Math.max(...others))} cores, by way.`;
}

const VCPU_COLUMNS = ["s", "switches_per_s", "migrations_per_s", "run_share", "delay_share"];

function vcpuTable({ results, options }: FrontierReport): string {
  const rows = results
    .filter(({ arm }) => arm === ALONE || !REFERENCES.includes(arm))
    .flatMap(({ arm, figures }) =>
      options.kernels.map((kernel) => [
        `\`${arm}\``,
        kernel,
        ...VCPU_COLUMNS.map((column) => figures[`${kernel}_${column}`]).map((each) =>
          each === undefined ? "" : spread(each),
        ),
      ]),
    );
  return table(
    ["way", "kernel", "seconds", "switches /s", "migrations /s", "share on a CPU", "share waiting to run"],
    rows,
  );
}

export function frontierPlot(places: readonly Place[]): string {
  return scatterPlot({
    title: "Time of the scientific guest against latency of the web guest",
    xAxis: "p99 of the web guest, services alone = 1",
    yAxis: "time of the kernels, scientific guest alone = 1",
    dots: places.map((place) => ({
      name: place.way,
      x: place.webP99.median,
      y: place.time.median,
      isFrontier: place.isFrontier,
    })),
  });
}

/** @returns files that were written */
export function writeFrontier(dir: string, report: FrontierReport): Promise<string[]> {
  const { size } = report.options;
  if (size !== "usual") return writePart(dir, `frontier --load ${size}`, frontierPart(report), {});
  return writePart(dir, "frontier", frontierPart(report), { [PLOT]: frontierPlot(report.frontier) });
}

const range = ({ median, p10, p90 }: Range): string =>
  p10 === p90 ? digits(median) : `${digits(median)} (${digits(p10)} to ${digits(p90)})`;
