/** The part of docs/benchmarks.md about one size of the services' load: a line an arm, over all kernels. */
import { digits, table, writePart } from "./part.ts";
import { ARMS, type Arm, SIZES, type SizeName } from "./plan.ts";
import type { BenchResult } from "./record.ts";
import type { KernelSummary, Summary } from "./summary.ts";

interface SizeReport {
  result: BenchResult;
  summary: Summary;
}

/** One arm over all kernels. Ratios are geometric means; null where what they are held against is missing. */
export interface SizeLine {
  arm: Arm;
  timeToDefault: number | null;
  timeToStatic: number | null;
  timeToAlone: number | null;
  timeToFluid: number | null;
  /** Part of the way from the default's time to that of the guest alone. */
  timeGain: number | null;
  switchesToDefault: number | null;
  /** Part of its SLA, or of what it wants where that is less, that the service got which got least of it. */
  slaGot: number | null;
  webP99: number | null;
  pcP99: number | null;
}

/** Lines of the arms in which services and kernels ran. Pure. */
export function linesOf({ kernels, services, arms }: Summary): SizeLine[] {
  const of = (arm: Arm): KernelSummary[] => kernels.filter((each) => each.arm === arm);
  const aloneOf = (arm: Arm): number | null => mean(of(arm).map(({ timeToAlone }) => timeToAlone));
  const byDefault = aloneOf("default");
  return arms.flatMap(({ arm }) => {
    const own = of(arm);
    const served = services.filter((each) => each.arm === arm);
    if (own.length === 0 || served.length === 0) return [];
    const worst = (role: string): number | null =>
      most(served.filter(({ name }) => name.startsWith(role)).map(({ p99ToAlone }) => p99ToAlone));
    const timeToAlone = aloneOf(arm);
    const less = most(served.map(({ slaGot }) => (slaGot === null ? null : -slaGot)));
    return {
      arm,
      timeToDefault: mean(own.map(({ timeToDefault }) => timeToDefault)),
      timeToStatic: over(timeToAlone, aloneOf("static")),
      timeToAlone,
      timeToFluid: mean(own.map(({ timeToFluid }) => timeToFluid)),
      timeGain: gain(byDefault, timeToAlone),
      switchesToDefault: mean(own.map(({ switchesToDefault }) => switchesToDefault)),
      slaGot: less === null ? null : -less,
      webP99: worst("web"),
      pcP99: worst("pc"),
    };
  });
}

export function sizePart({ result, summary }: SizeReport): string {
  const { options, setting, machine, startedAt, runs } = result;
  const { what, webUsers, pcWorkMs, sla } = SIZES[options.size];
  const other = Math.max(...summary.arms.flatMap(({ otherCores }) => otherCores ?? []));
  const notRestored = runs.filter(({ restored }) => !restored).length;
  return [
    `## \`paper --load ${options.size}\``,
    `The same with another load: ${what} (${webUsers} web users and ${pcWorkMs} ms of PC work in 100 ms for each pair of guests; SLAs ${sla.web} and ${sla.pc} cores). ` +
      `${startedAt.slice(0, 10)}, ${machine.cpus} x ${machine.cpu}, guests under ${setting.accelerator === "kvm" ? "KVM" : "emulation (TCG)"}; kernels ${options.kernels.join(", ")}, ` +
      `class ${options.problem}, ${options.rounds} rounds, T_check ${options.checkPeriodMs} ms; geometric means over the kernels of ratios of medians. ` +
      `Others used at most ${digits(other)} cores; not restored after ${notRestored} of ${runs.length} arms.`,
    table(
      [
        "arm",
        "time to default",
        "to the expert's",
        "to alone",
        "to fluid limit",
        "of the possible gain",
        "switches to default",
        "SLA kept, worst",
        "web p99 to alone",
        "pc p99 to alone",
      ],
      linesOf(summary).map((line) => [
        ARMS[line.arm],
        times(line.timeToDefault),
        times(line.timeToStatic),
        times(line.timeToAlone),
        times(line.timeToFluid),
        percent(line.timeGain),
        times(line.switchesToDefault),
        percent(line.slaGot),
        times(line.webP99),
        times(line.pcP99),
      ]),
    ),
  ].join("\n\n");
}

export function writeSizePage(dir: string, size: SizeName, report: SizeReport): Promise<string[]> {
  return writePart(dir, `paper --load ${size}`, sizePart(report), {});
}

/** Geometric; null where there is nothing, or something is missing. */
function mean(values: readonly (number | null)[]): number | null {
  const known = values.flatMap((value) => value ?? []);
  if (known.length === 0 || known.length < values.length) return null;
  return Math.exp(known.reduce((sum, value) => sum + Math.log(value), 0) / known.length);
}

const most = (values: readonly (number | null)[]): number | null => {
  const known = values.flatMap((value) => value ?? []);
  return known.length === 0 ? null : Math.max(...known);
};

const over = (value: number | null, base: number | null): number | null =>
  value === null || base === null ? null : value / base;

/** Towards 1, which is the guest alone. */
const gain = (from: number | null, to: number | null): number | null =>
  from === null || to === null || from <= 1 ? null : (from - to) / (from - 1);

const times = (value: number | null): string => (value === null ? "" : value.toFixed(2));
const percent = (value: number | null): string => (value === null ? "" : `${(value * 100).toFixed(0)}%`);
