/** What a guest used and wanted during one period, from its sample. */
import type { GuestSample } from "../contracts/sample.ts";
import { exemptionBy } from "../exemption.ts";
import type { Settings } from "../settings.ts";

export interface GuestUse {
  /** Part of the time that its vCPUs ran: mean over the vCPUs, 0 to 1. */
  usage: number;
  /** Part of the time that its vCPUs waited to run, mean over the vCPUs. */
  delay: number;
  /** Part of its vCPUs that it wanted, mean over the vCPUs, 0 to 1: never below usage. */
  demand: number;
  /** Wanted by each vCPU, 0 to 1, in the order of the sample. */
  vcpuDemand: readonly number[];
}

/**
 * Use and demand of a guest. Waiting is not work: a loaded neighbour, or our own cap, makes a light guest wait. So
 * only a vCPU that ran or waited for nearly the whole period wanted more than it got; it is taken to want all.
 */
export function guestUse(guest: GuestSample, settings: Settings): GuestUse {
  let usage = 0;
  let delay = 0;
  let demand = 0;
  const vcpuDemand: number[] = [];
  for (const vcpu of guest.vcpus) {
    const run = Math.min(1, vcpu.run);
    const wanted = run + vcpu.delay >= settings.heldBackFrom ? 1 : run;
    usage += run;
    delay += vcpu.delay;
    demand += wanted;
    vcpuDemand.push(wanted);
  }
  const count = guest.vcpus.length;
  return { usage: usage / count, delay: delay / count, demand: demand / count, vcpuDemand };
}

/** Whether the sample says anything about the guest's work: else its counts are left alone. */
export function isReadable(guest: GuestSample): boolean {
  return guest.state === "running" && guest.incomplete !== true;
}

/** Whether the guest is left alone: declared so, or of a kind that is left alone unless its class is declared. */
export function isExempt({ declared, exemptReason }: GuestSample): boolean {
  return exemptionBy(declared, exemptReason) !== undefined;
}
