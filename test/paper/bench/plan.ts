/** What is run, in which order. Pure: the same options and seed give the same plan, so that a run can be taken up again. */
import type { Seeded } from "../../support/seeded.ts";
import type { Kernel, ProblemClass } from "../npb.ts";

/** Ways of running the guests, as in the paper's comparison and beyond. */
export const ARMS = {
  default: "KVM's default",
  static: "an expert's static set-up (virsh vcpupin, schedinfo)",
  paper: "kvm-governor, preset paper",
  governor: "kvm-governor, preset default",
  limited: "kvm-governor, preset default, serviceLimit sla",
  alone: "the scientific guest alone: its limit",
  services: "the services alone: their limit",
} as const;
export type Arm = keyof typeof ARMS;
export const ARM_NAMES = Object.keys(ARMS) as Arm[];

/** How much the services are asked for, and what they are promised. */
export interface Size {
  /** In words, for the page. */
  what: string;
  /** Users of each web guest. */
  webUsers: number;
  /** Work of each PC guest in 100 ms, in milliseconds of a vCPU that nobody disturbs. */
  pcWorkMs: number;
  /** In cores. */
  sla: Readonly<Record<"web" | "pc", number>>;
  /** Services want more than they are promised: then `serviceLimit` matters. */
  isOverSla: boolean;
}
/** Under emulation one web user wants about a tenth of a CPU. */
export const SIZES = {
  usual: {
    what: "services want 0.65 of two cores, all within their SLA",
    webUsers: 4,
    pcWorkMs: 20,
    sla: { web: 0.6, pc: 0.25 },
    isOverSla: false,
  },
  light: {
    what: "a quarter of the usual load, all within the SLA",
    webUsers: 1,
    pcWorkMs: 5,
    sla: { web: 0.2, pc: 0.1 },
    isOverSla: false,
  },
  heavy: {
    what: "services want about one of two cores, all within their SLA",
    webUsers: 5,
    pcWorkMs: 45,
    sla: { web: 0.75, pc: 0.6 },
    isOverSla: false,
  },
  over: {
    what: "services want about one of two cores, twice what they were promised",
    webUsers: 5,
    pcWorkMs: 45,
    sla: { web: 0.25, pc: 0.25 },
    isOverSla: true,
  },
} as const satisfies Record<string, Size>;
export type SizeName = keyof typeof SIZES;

export interface BenchOptions {
  size: SizeName;
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

export const armsOf = (size: SizeName): Arm[] =>
  ARM_NAMES.filter((arm) => arm !== "limited" || SIZES[size].isOverSla);

/** Rounds one after the other; in each, arms and kernels in an order of its own. */
export function planOf(options: BenchOptions, random: Seeded): Step[] {
  const steps: Step[] = [];
  for (let round = 0; round < options.rounds; round++) {
    const kernels = shuffled(options.kernels, random);
    const loadSeed = 1 + Math.floor(random.next() * 1e6);
    for (const arm of shuffled(armsOf(options.size), random)) steps.push({ round, arm, kernels, loadSeed });
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
