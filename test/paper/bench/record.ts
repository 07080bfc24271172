/** What is written down of a run: plain values, as they stand in the state file. */
import type { Machine } from "../../bench/machine.ts";
import type { Accelerator } from "../guest/guest.ts";
import type { Kernel } from "../npb.ts";
import type { Arm, BenchOptions } from "./plan.ts";
import type { Together } from "./timeline.ts";

/** One kernel in one arm of one round. */
export interface KernelFigures {
  kernel: Kernel;
  repeats: number;
  /** Sum of the timed parts, by the guest's clock. */
  seconds: number;
  /** From outside: with starting, set-up and verification. */
  wallSeconds: number;
  /** Of the scientific guest's vCPUs. */
  switches: number;
  migrations: number;
  runSeconds: number;
  delaySeconds: number;
  /** CPU that the service guests got meanwhile (whole QEMU processes), in cores. */
  servicesCores: number;
  /** CPU used by everything that is no guest of ours, in cores: load generator, governor, and others on the machine. */
  otherCores: number;
  /** When the vCPUs ran together, by the kernel's trace; absent: this machine cannot be traced. */
  together?: Together;
}

/** A service guest over one arm of one round. */
export interface ServiceFigures {
  name: string;
  role: "web" | "pc";
  slaCores: number;
  /** CPU of its vCPUs, in cores. */
  cores: number;
  /** Share of the time that its vCPUs waited to run. */
  delayShare: number;
  /** Requests, or pieces of work, a second. */
  throughput: number;
  p50Ms: number;
  p99Ms: number;
  errors: number;
}

export interface ArmRun {
  round: number;
  arm: Arm;
  kernels: KernelFigures[];
  services: ServiceFigures[];
  /** In governor arms: whether the scientific guest was in LIST_sc when the kernels began and when they ended. */
  classified?: boolean;
  /** Whether everything was as before, afterwards: affinities and every control file. */
  restored: boolean;
}

/** How large the work is; measured once, before the first round, and the same for all arms. */
export interface Sizes {
  repeats: Partial<Record<Kernel, number>>;
  /** Units of work of each piece of the PC guest. */
  pcUnits: number;
}

export interface BenchState {
  options: BenchOptions;
  /** Of host, guests and image: a run is not taken up on another machine. */
  setting: { cpus: number; accelerator: Accelerator; image: string };
  startedAt: string;
  sizes?: Sizes;
  runs: ArmRun[];
}

export interface BenchResult extends BenchState {
  machine: Machine;
}
