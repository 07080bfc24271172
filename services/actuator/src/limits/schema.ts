/** What the people of this host allow, whatever a plan says. */
import { CpuListError, cores, matchesName, parseCpuList } from "@kvm-governor/policy";
import { z } from "zod";

const cpuList = z.union([z.string(), z.int().min(0)]).transform((value, context): number[] => {
  try {
    return parseCpuList(String(value));
  } catch (error) {
    if (!(error instanceof CpuListError)) throw error;
    context.addIssue({ code: "custom", message: error.message });
    return [];
  }
});

const guestLimitsSchema = z
  .strictObject({
    /** UUID or name pattern. */
    guest: z.string().min(1).max(1024),
    /** CPU that no plan takes from the guest, in cores over all its vCPUs. */
    floorCores: cores.optional(),
    /** CPU that no plan lets it have more of, in cores over all its vCPUs. */
    ceilingCores: cores.positive("must be more than 0").optional(),
  })
  .refine(
    ({ floorCores = 0, ceilingCores = Infinity }) => floorCores <= ceilingCores,
    "floorCores is above ceilingCores",
  );
export type GuestLimits = z.infer<typeof guestLimitsSchema>;

const step = cores.positive("must be more than 0").optional();

export const limitsSchema = z.strictObject({
  /** Least bandwidth of one vCPU, in cores: no plan goes below it. */
  floorCores: z.number().min(0).max(1).default(0.05),
  /** Longest that a plan holds without being renewed, in milliseconds, whatever it says itself. */
  planTtlMsMax: z.int().min(200).max(86_400_000).default(600_000),
  /** Floors and ceilings of single guests. An entry by UUID ranks above one by name; among equals the first one counts. */
  guests: z.array(guestLimitsSchema).max(10_000).default([]),
  /** CPUs that belong to the host, as a list (`0-1`): no guest is placed on them. */
  hostCpus: cpuList.default([]),
  /**
   * Largest raise of one vCPU's bandwidth in one tick, in cores; absent: as the plan says. What a guest loses it loses at once:
   * somebody else needs it.
   */
  stepUpCores: z
    .strictObject({
      /** For guests in LIST_se. */
      service: step,
      /** For guests in LIST_sc. */
      scientific: step,
    })
    .prefault({}),
  /** How long a guest stays as it is after a change, in milliseconds, unless somebody would have to wait for the next one. */
  coolDownMs: z.int().min(0).max(86_400_000).default(0),
  /** Part of all guests that plans are applied to, in percent: the same ones each time, and more of them as it grows. */
  rollOutPercent: z.number().min(0).max(100).default(100),
});
export type LocalLimits = z.infer<typeof limitsSchema>;

/** Limits of one guest alone. Names may be the tenant's: an entry by UUID comes first. */
export function guestLimits(
  limits: LocalLimits,
  guest: { uuid: string; name: string },
): GuestLimits | undefined {
  return (
    limits.guests.find((entry) => entry.guest.toLowerCase() === guest.uuid) ??
    limits.guests.find((entry) => matchesName(entry.guest, guest.name))
  );
}
