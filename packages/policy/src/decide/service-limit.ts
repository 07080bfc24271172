/**
 * Services held to their SLA under preset `default`, where the operator asks for it (`serviceLimit`). Without it a service that wants more
 * than it was promised takes it from scientific guests, because it ranks above them; under preset `paper` its quota holds it (paper, allocate_SLA).
 */
import type { Settings } from "../settings.ts";
import type { Managed } from "./managed.ts";

/**
 * Whether a guest gets no more than its SLA while there is a scientific guest. Who declared a delay is left out: what it waits for its own
 * quota would count against that.
 */
export function slaIsLimit({ classified, sample }: Managed, { preset, serviceLimit }: Settings): boolean {
  const { slaCores, slaDelay } = sample.declared;
  const isAsked = preset === "default" && serviceLimit === "sla";
  return isAsked && classified.class === "service" && slaCores !== undefined && slaDelay === undefined;
}

/** What each vCPU of a service wants, in cores, and can get: with its SLA as its limit, no more than that together. */
export function limitedDemand(guest: Managed, settings: Settings): readonly number[] {
  const { vcpuDemand } = guest.use;
  if (!slaIsLimit(guest, settings)) return vcpuDemand;
  const wanted = vcpuDemand.reduce((sum, each) => sum + each, 0);
  const part = Math.min(1, (guest.sample.declared.slaCores ?? 0) / Math.max(wanted, Number.MIN_VALUE));
  return vcpuDemand.map((each) => each * part);
}
