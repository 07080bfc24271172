/** Local limits, stronger than any plan. */
import type { GuestPlan } from "@kvm-governor/policy";
import { withinCeiling, withinFloor, withinStep } from "./bandwidth.ts";
import type { Bound, Limited } from "./bound.ts";
import { afterCoolDown, type LastChange } from "./cool-down.ts";
import { offHostCpus, roomForFloor } from "./placement.ts";
import { guestLimits, type LocalLimits } from "./schema.ts";

export { isSamePlan, type LastChange } from "./cool-down.ts";
export { isRolledOut } from "./roll-out.ts";
export { limitsSchema, type LocalLimits } from "./schema.ts";
export type { Bound, Limited } from "./bound.ts";

export interface LimitContext {
  limits: LocalLimits;
  /** Bandwidth of each vCPU now, by index, in cores; infinite where it has no limit. */
  now: ReadonlyMap<number, number>;
  onlineCpus: () => readonly number[];
  last: LastChange | undefined;
  /** Monotonic time in milliseconds. */
  nowMs: number;
}

/** A plan within the limits. The floor comes last: nothing may take a guest below it. */
export function limitPlan(wish: GuestPlan, context: LimitContext): Limited {
  const { limits, onlineCpus, last, nowMs, now } = context;
  const own = guestLimits(limits, wish) ?? { guest: wish.uuid };
  const bounds: Bound[] = [];
  const keep = (limited: Limited): GuestPlan => {
    bounds.push(...limited.bounds);
    return limited.plan;
  };
  let plan = keep(afterCoolDown(wish, last, { coolDownMs: limits.coolDownMs, nowMs }));
  plan = keep(offHostCpus(plan, limits, onlineCpus));
  plan = keep(roomForFloor(plan, own));
  plan = keep(withinStep(plan, limits, now));
  plan = keep(withinCeiling(plan, own));
  plan = keep(withinFloor(plan, own));
  return { plan, bounds };
}
