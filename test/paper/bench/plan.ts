/** What is run, in which order. Pure: the same options and seed give the same plan, so that a run can be taken up again. */
import type { Seeded } from "../../support/seeded.ts";
import type { Kernel, ProblemClass } from "../npb.ts";

/** Ways of running the guests, as in the paper's comparison and beyond. */
export const ARMS = {
  default: "KVM's default",
  static: "an expert's static set-up (virsh vcpupin, schedinfo)",
  paper: "kvm-governor, preset paper",
  governor: "kvm-governor, preset default",
  alone: "the scientific guest alone: its limit",
  services: "the services alone: their limit",
} as const;
export type Arm = keyof typeof ARMS;
export const ARM_NAMES = Object.keys(ARMS) as Arm[];

export interface BenchOptions {
  rounds: number;
  seed: number;
  kernels: readonly Kernel[];
  problem: ProblemClass;
  /** How long one run of a kernel should take where the guest is alone, in seconds: it is repeated until then. */
  seconds: number;
  /** T_check of the governor, in milliseconds, and its beta. */
  checkPeriodMs: number;
  beta: number;
}

/** One arm of one round; the loads of the services run through all of its kernels. */
export interface Step {
  round: number;
  arm: Arm;
  kernels: readonly Kernel[];
  /** Of the web guest's load. The same for all arms of a round. */
  loadSeed: number;
}

/** Rounds one after the other; in each, arms and kernels in an order of its own. */
export function planOf(options: BenchOptions, random: Seeded): Step[] {
  const steps: Step[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const kernels = shuffled(options.kernels, random);
    const loadSeed = 1 + Math.floor(random.next() * 1e6);
    for (const arm of shuffled(ARM_NAMES, random)) steps.push({ round, arm, kernels, loadSeed });
  }
  return steps;
}

/** Fisher and Yates. */
export function shuffled<T>(values: readonly T[], random: Seeded): T[] {
  const left = [...values];
  const result: T[] = [];
  while (left.length > 0) result.push(...left.splice(Math.floor(random.next() * left.length), 1));
  return result;
}
