/** Where the time goes: what part of a kernel's gap to the guest alone is which kind of waiting. Pure. */
import { spreadOf } from "../../bench/statistics.ts";
import type { Kernel } from "../npb.ts";
import { ARM_NAMES, type Arm } from "./plan.ts";
import type { ArmRun, KernelFigures } from "./record.ts";
import type { Together } from "./timeline.ts";

/** One kernel in one arm, against the guest alone. Seconds of the guest's clock on the wall: means over its vCPUs, medians over rounds. */
export interface Gap {
  kernel: Kernel;
  arm: Arm;
  /** By how much longer it took; the parts below sum up to it, but for medians. */
  seconds: number;
  /** Runnable without a CPU: taken by services, or by another vCPU of the guest. */
  taken: number;
  /** Running while another vCPU had no CPU: spinning at a barrier, mostly. */
  inVain: number;
  /** Asleep: at a barrier, or until it is woken after one. */
  asleep: number;
  /** All that should run ran, and needed longer for the same work: switching, migration, caches; emulation that is not as fast. */
  slower: number;
  /** More of them than alone. */
  switches: number;
  migrations: number;
}

/** @returns nothing for kernels that were not traced, or not alone */
export function gapsOf(runs: readonly ArmRun[]): Gap[] {
  const kernels = [...new Set(runs.flatMap((run) => run.kernels.map(({ kernel }) => kernel)))];
  return kernels.flatMap((kernel) => {
    const alone = mediansOf(figures(runs, "alone", kernel));
    if (alone === undefined) return [];
    return ARM_NAMES.flatMap((arm) => {
      const own = arm === "alone" ? undefined : mediansOf(figures(runs, arm, kernel));
      return own === undefined ? [] : [gapOf(kernel, arm, own, alone)];
    });
  });
}

const figures = (runs: readonly ArmRun[], arm: Arm, kernel: Kernel): KernelFigures[] =>
  runs.filter((run) => run.arm === arm).flatMap((run) => run.kernels.filter((one) => one.kernel === kernel));

interface Medians extends Together {
  seconds: number;
  vcpus: number;
  switches: number;
  migrations: number;
}

function mediansOf(all: readonly KernelFigures[]): Medians | undefined {
  const traced = all.flatMap((one) => (one.together === undefined ? [] : [{ ...one, ...one.together }]));
  if (traced.length === 0) return undefined;
  const median = (of: (one: (typeof traced)[number]) => number): number => spreadOf(traced.map(of)).median;
  const sum = (one: Together): number => one.ran + one.ranWithout + one.waited + one.slept;
  return {
    seconds: median((one) => one.wallSeconds),
    vcpus: Math.max(1, Math.round(median((one) => sum(one) / one.wallSeconds))),
    ran: median((one) => one.ran),
    ranWithout: median((one) => one.ranWithout),
    waited: median((one) => one.waited),
    slept: median((one) => one.slept),
    switches: median((one) => one.switches),
    migrations: median((one) => one.migrations),
  };
}

function gapOf(kernel: Kernel, arm: Arm, own: Medians, alone: Medians): Gap {
  const more = (field: keyof Together): number => (own[field] - alone[field]) / own.vcpus;
  return {
    kernel,
    arm,
    seconds: own.seconds - alone.seconds,
    taken: more("waited"),
    inVain: more("ranWithout"),
    asleep: more("slept"),
    slower: more("ran"),
    switches: own.switches - alone.switches,
    migrations: own.migrations - alone.migrations,
  };
}
