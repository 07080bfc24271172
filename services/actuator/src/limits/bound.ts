/** A local limit that binds: what a plan asked for, and what it gets instead. */
import type { PlanProblem } from "@kvm-governor/linux";
import type { GuestPlan } from "@kvm-governor/policy";

export interface Bound extends Omit<PlanProblem, "kind"> {
  kind: PlanProblem["kind"] | "ceiling" | "host-cpus" | "step" | "cool-down";
}

/** A plan within the limits, and those that were in its way. */
export interface Limited {
  plan: GuestPlan;
  bounds: Bound[];
}

/** For texts: cores without the noise of floating point. */
export const round = (cores: number): number => Math.round(cores * 1000) / 1000;
