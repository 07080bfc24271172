/** From what was measured to what it says: medians, spread, ratios, limits. Pure. */
import { type Spread, spreadOf } from "../../bench/statistics.ts";
import type { Kernel } from "../npb.ts";
import { ARM_NAMES, type Arm } from "./plan.ts";
import type { ArmRun, KernelFigures, ServiceFigures } from "./record.ts";

/** One kernel in one arm, over the rounds. Ratios are of medians; null where what they are held against is missing. */
export interface KernelSummary {
  kernel: Kernel;
  arm: Arm;
  seconds: Spread;
  switches: Spread;
  migrations: Spread;
  delaySeconds: Spread;
  servicesCores: Spread;
  /** Against KVM's default: below 1 is better. */
  timeToDefault: number | null;
  switchesToDefault: number | null;
  /** Against the guest alone. */
  timeToAlone: number | null;
  /** Against time alone x CPUs / (CPUs - CPU that the services got): what no switching at the wrong moment would give. */
  timeToFluid: number | null;
  /** Part of the way from the default to the guest alone. */
  timeGainReached: number | null;
  switchesGainReached: number | null;
}

export interface ServiceSummary {
  name: string;
  arm: Arm;
  slaCores: number;
  cores: Spread;
  throughput: Spread;
  p50Ms: Spread;
  p99Ms: Spread;
  delayShare: Spread;
  errors: number;
  /** Against the services alone. */
  throughputToAlone: number | null;
  p99ToAlone: number | null;
  /**
   * CPU that it got as part of its SLA, or of what it uses when nobody disturbs it, whichever is less: 1 is all of it.
   */
  slaGot: number | null;
}

export interface ArmSummary {
  arm: Arm;
  /** Geometric mean, and least, of the kernels' ratios to the default. */
  timeToDefaultMean: number | null;
  timeToDefaultBest: number | null;
  switchesToDefaultBest: number | null;
  timeToFluidWorst: number | null;
  /** CPU used by what is no guest of the experiment, in cores, mean. */
  otherCores: number | null;
}

export interface Summary {
  kernels: KernelSummary[];
  services: ServiceSummary[];
  arms: ArmSummary[];
}

/** @param cpus of the host */
export function summarize(runs: readonly ArmRun[], cpus: number): Summary {
  const kernels = summarizeKernels(runs, cpus);
  return {
    kernels,
    services: summarizeServices(runs),
    arms: ARM_NAMES.map((arm) => summarizeArm(arm, kernels, runs)),
  };
}

function summarizeKernels(runs: readonly ArmRun[], cpus: number): KernelSummary[] {
  const names = [...new Set(runs.flatMap((run) => run.kernels.map(({ kernel }) => kernel)))];
  return names.flatMap((kernel) => {
    const found = (arm: Arm): KernelFigures[] =>
      runs
        .filter((run) => run.arm === arm)
        .flatMap((run) => run.kernels.filter((one) => one.kernel === kernel));
    const [byDefault, alone] = [found("default"), found("alone")];
    return ARM_NAMES.flatMap((arm) => {
      const figures = found(arm);
      return figures.length === 0 ? [] : [summarizeKernel(kernel, arm, figures, { byDefault, alone, cpus })];
    });
  });
}

function summarizeKernel(
  kernel: Kernel,
  arm: Arm,
  figures: readonly KernelFigures[],
  against: { byDefault: readonly KernelFigures[]; alone: readonly KernelFigures[]; cpus: number },
): KernelSummary {
  const spread = (field: keyof KernelFigures): Spread => spreadOf(figures.map((one) => Number(one[field])));
  const median = (of: readonly KernelFigures[], field: "seconds" | "switches"): number | null =>
    of.length === 0 ? null : spreadOf(of.map((one) => one[field])).median;
  const [seconds, switches, servicesCores] = [spread("seconds"), spread("switches"), spread("servicesCores")];
  const [defaultSeconds, aloneSeconds] = [
    median(against.byDefault, "seconds"),
    median(against.alone, "seconds"),
  ];
  const [defaultSwitches, aloneSwitches] = [
    median(against.byDefault, "switches"),
    median(against.alone, "switches"),
  ];
  const left = against.cpus - servicesCores.median;
  return {
    kernel,
    arm,
    seconds,
    switches,
    migrations: spread("migrations"),
    delaySeconds: spread("delaySeconds"),
    servicesCores,
    timeToDefault: ratio(seconds.median, defaultSeconds),
    switchesToDefault: ratio(switches.median, defaultSwitches),
    timeToAlone: ratio(seconds.median, aloneSeconds),
    timeToFluid: aloneSeconds === null ? null : ratio(seconds.median, (aloneSeconds * against.cpus) / left),
    timeGainReached: gain(defaultSeconds, seconds.median, aloneSeconds),
    switchesGainReached: gain(defaultSwitches, switches.median, aloneSwitches),
  };
}

function summarizeServices(runs: readonly ArmRun[]): ServiceSummary[] {
  const names = [...new Set(runs.flatMap((run) => run.services.map(({ name }) => name)))];
  return names.flatMap((name) => {
    const found = (arm: Arm): ServiceFigures[] =>
      runs.filter((run) => run.arm === arm).flatMap((run) => run.services.filter((one) => one.name === name));
    const undisturbed = found("services");
    return ARM_NAMES.flatMap((arm) => {
      const figures = found(arm);
      return figures.length === 0 ? [] : [summarizeService(name, arm, figures, undisturbed)];
    });
  });
}

function summarizeService(
  name: string,
  arm: Arm,
  figures: readonly ServiceFigures[],
  undisturbed: readonly ServiceFigures[],
): ServiceSummary {
  type Field = "cores" | "throughput" | "p50Ms" | "p99Ms" | "delayShare";
  const spread = (field: Field, of = figures): Spread => spreadOf(of.map((one) => one[field]));
  const base = (field: Field): number | null =>
    undisturbed.length === 0 ? null : spread(field, undisturbed).median;
  const slaCores = figures[0]?.slaCores ?? 0;
  const [cores, throughput, p99Ms] = [spread("cores"), spread("throughput"), spread("p99Ms")];
  const used = base("cores");
  return {
    name,
    arm,
    slaCores,
    cores,
    throughput,
    p50Ms: spread("p50Ms"),
    p99Ms,
    delayShare: spread("delayShare"),
    errors: figures.reduce((total, { errors }) => total + errors, 0),
    throughputToAlone: ratio(throughput.median, base("throughput")),
    p99ToAlone: ratio(p99Ms.median, base("p99Ms")),
    slaGot: used === null ? null : Math.min(1, cores.median / Math.min(slaCores, used)),
  };
}

function summarizeArm(arm: Arm, kernels: readonly KernelSummary[], runs: readonly ArmRun[]): ArmSummary {
  const own = kernels.filter((each) => each.arm === arm);
  const known = (field: "timeToDefault" | "switchesToDefault" | "timeToFluid"): number[] =>
    own.flatMap((each) => each[field] ?? []);
  const times = known("timeToDefault");
  const others = runs
    .filter((run) => run.arm === arm)
    .flatMap((run) => run.kernels.map(({ otherCores }) => otherCores));
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const of = (values: readonly number[], what: (values: readonly number[]) => number): number | null =>
    values.length === 0 ? null : what(values);
  return {
    arm,
    timeToDefaultMean: of(times, (all) => Math.exp(mean(all.map(Math.log)))),
    timeToDefaultBest: of(times, (all) => Math.min(...all)),
    switchesToDefaultBest: of(known("switchesToDefault"), (all) => Math.min(...all)),
    timeToFluidWorst: of(known("timeToFluid"), (all) => Math.max(...all)),
    otherCores: of(others, mean),
  };
}

const ratio = (value: number, base: number | null): number | null =>
  base === null || base === 0 ? null : value / base;

/** How far `value` is on the way from `from` to `to`; null where there is no way to go. */
function gain(from: number | null, value: number, to: number | null): number | null {
  return from === null || to === null || from <= to ? null : (from - value) / (from - to);
}
