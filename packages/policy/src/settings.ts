/** How the fleet is governed: thresholds, period, preset. Read from the classifier's configuration. */
import { z } from "zod";
import { cores } from "./contracts/fields.ts";

/** What counts as a guest's use. `run`: time on a CPU, as in the paper. `demand`: also what it was kept from. */
export const usageSignal = z.enum(["run", "demand"]);

export const settingsSchema = z.strictObject({
  /** `paper`: held by quotas, as the paper says. `default`: services rank above scientific guests in the kernel. */
  preset: z.enum(["default", "paper"]).default("default"),
  /** T_check in milliseconds: both algorithms run once in it (paper, symbols). */
  checkPeriodMs: z.int().min(50).max(3_600_000).default(1000),
  /** Threshold of CPU usage, as part of a guest's vCPUs (paper: alpha). */
  alpha: z.number().gt(0).lte(1).default(0.7),
  /** Threshold of crossings: more than beta move a guest (paper: beta). */
  beta: z.int().min(0).max(1_000_000).default(5),
  /** Second threshold, preset `default` only: in LIST_sc a guest crosses below this, or below alpha where that is less. */
  alphaDown: z.number().min(0).lte(1).default(0.4),
  /** Preset `default` only: a guest that its counts moved back to LIST_se stays there for this long, in milliseconds. */
  coolDownMs: z.int().min(0).max(86_400_000).default(3_600_000),
  /** Signal that is held against alpha. */
  signal: usageSignal.default("demand"),
  /** A vCPU that ran and waited for at least this part of a period wanted everything (docs/decisions/0004). */
  heldBackFrom: z.number().gt(0).lte(1).default(0.9),
  /**
   * Preset `default` only. `sla`: while there is a scientific guest on its host, a service gets no more CPU than its declared SLA; one
   * that declared a delay is not limited. `none`: services get all that they want.
   */
  serviceLimit: z.enum(["none", "sla"]).default("none"),
  /** CPU kept for the host itself on every host, in cores. */
  reserveCores: cores.default(0),
  /** Largest part of a host's CPUs that guests get by inference alone: a tenant can spin to earn CPU. */
  inferredShareMax: z.number().min(0).max(1).default(1),
  /** How long a plan holds without being renewed, in milliseconds; at least two check periods. */
  planTtlMs: z.int().min(200).max(86_400_000).default(10_000),
  /** Length of a bandwidth period, in microseconds (kernel: cfs_period_us, 1000 to 1000000). */
  bandwidthPeriodUs: z.int().min(1000).max(1_000_000).default(100_000),
  /** Least bandwidth that any vCPU is planned, in cores: a guest that cannot run cannot be told from an idle one. */
  minimumVcpuCores: z.number().min(0.01).max(1).default(0.05),
  /** A planned share that differs by less than this many cores from the last one stays as it was. */
  deadBandCores: z.number().min(0).max(1).default(0.05),
});
export type Settings = z.infer<typeof settingsSchema>;

/** What is wrong with settings that are each right by themselves; undefined where nothing is. */
export function settingsConflict({ planTtlMs, checkPeriodMs }: Settings): string | undefined {
  if (planTtlMs >= 2 * checkPeriodMs) return undefined;
  return `planTtlMs: ${planTtlMs} is less than two check periods of ${checkPeriodMs} ms: one late sample would end every plan`;
}

/** Settings of a preset: the defaults, with what is given in their place. */
export function presetSettings(preset: Settings["preset"], overrides: Partial<Settings> = {}): Settings {
  return settingsSchema.parse({ ...overrides, preset });
}

/** Below which part of its vCPUs a guest crosses in LIST_sc. Preset `paper` has one threshold. */
export function downThreshold({ preset, alpha, alphaDown }: Settings): number {
  return preset === "paper" ? alpha : Math.min(alpha, alphaDown);
}

/** For how long a guest that its counts moved back to LIST_se stays there, in microseconds. Preset `paper` has no cool-down. */
export function coolDownUs({ preset, coolDownMs }: Settings): number {
  return preset === "paper" ? 0 : coolDownMs * 1000;
}
