/** A plan for a guest of a benchmark. */
import type { Guest } from "@kvm-governor/linux";
import type { GuestPlan } from "@kvm-governor/policy";

/** @param hold what the guest is held to */
export function scientificPlan(
  { uuid, name, pid, startTime }: Guest,
  hold: Pick<GuestPlan, "vcpus" | "weight" | "emulatorCpus" | "periodUs">,
): GuestPlan {
  return {
    ...{ uuid, name, pid, startTime, class: "scientific", count: 3, since: 1, ioThreadCpus: "baseline" },
    ...hold,
    reasons: [{ code: "share", text: "gets its share of what services leave" }],
  };
}
