import type { GuestPlan } from "@kvm-governor/policy";

/** Services first: what they get back is there before scientific guests are held tighter. */
export function inOrder(guests: readonly GuestPlan[]): GuestPlan[] {
  return guests.toSorted((a, b) => Number(a.class === "scientific") - Number(b.class === "scientific"));
}

/** A guest that is to be as it was found is not touched at all; where it was, everything about it is taken back. */
export function isBaseline(plan: GuestPlan): boolean {
  const rest = [plan.weight, plan.emulatorCpus, plan.ioThreadCpus];
  return (
    rest.every((value) => value === "baseline") &&
    plan.vcpus.every(({ bandwidth, cpus }) => bandwidth === "baseline" && cpus === "baseline")
  );
}
