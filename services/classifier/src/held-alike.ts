/** Whether two plans hold a guest in the same way: for what is told of a change. */
import type { GuestPlan } from "@kvm-governor/policy";

export function isHeldAlike(a: GuestPlan, b: GuestPlan): boolean {
  return settingsOf(a) === settingsOf(b);
}

function settingsOf(guest: GuestPlan): string {
  const { class: kind, pid, startTime, vcpus, weight, emulatorCpus, ioThreadCpus, periodUs } = guest;
  return JSON.stringify([kind, pid, startTime, vcpus, weight, emulatorCpus, ioThreadCpus, periodUs]);
}
