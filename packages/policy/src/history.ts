/**
 * What is remembered of a guest and of its host's actuator: the classifier keeps it, its API answers with it (docs/api.md), console and command
 * line show it. Times are Unix milliseconds of the classifier's clock, unless a name says otherwise.
 */
import type { Applied, WriteReport } from "./contracts/applied.ts";
import type { GuestClass } from "./contracts/fields.ts";
import type { GuestPlan, Reason } from "./contracts/plan.ts";

/** A move between the lists, or a change of how a guest is held. */
export interface PastDecision {
  atMs: number;
  generation: number;
  kind: "first" | "moved" | "held";
  class: GuestClass;
  movedFrom?: GuestClass;
  /** What was seen in the period that brought it, as parts of the guest's vCPUs. */
  usage: number;
  delay: number;
  demand: number;
  reasons: readonly Reason[];
  held: Pick<GuestPlan, "vcpus" | "weight" | "emulatorCpus" | "ioThreadCpus">;
}

/** A write to one of the guest's files, made or only shown by a dry run. */
export type GuestWrite = Omit<WriteReport, "guest">;

export type PastWrite = GuestWrite & {
  atMs: number;
  generation: number;
  /** How often in a row the same was written with the same outcome. */
  times: number;
};

export interface PastDrift {
  atMs: number;
  target: string;
  setting: string;
  file: string;
  applied: string;
  found: string;
}

/** Lists begin with the oldest. */
export interface GuestHistory {
  decisions: readonly PastDecision[];
  writes: readonly PastWrite[];
  drift: readonly PastDrift[];
  /** What the last dry run would have written; empty where the actuator writes. */
  wouldWrite: readonly GuestWrite[];
  /** Why the actuator left the guest alone in its last report. */
  skipped: { reason: string; atMs: number } | null;
}

/** What is shown of the last applied report. */
export interface AppliedSummary {
  generation: number;
  /** Time from the sample taken to the last value read back, in milliseconds, by the host's own clock. */
  sampleToReadBackMs: number;
  verified: number;
  writes: number;
  errors: number;
  drift: number;
  skipped: Applied["skipped"];
  switchFired: Applied["switchFired"];
  dryRun: boolean;
  receivedAtMs: number;
}
