/** Whether two plans hold a guest in the same way: for what is told of a change. */
import { isSameHold } from "@kvm-governor/policy";
import type { GuestPlan } from "@kvm-governor/policy";

export function isHeldAlike(a: GuestPlan, b: GuestPlan): boolean {
  return a.class === b.class && a.pid === b.pid && a.startTime === b.startTime && isSameHold(a, b);
}
