/** Entitlements: allocate_SLA and allocate_PR of the paper, over the whole host at every period. Amounts in cores. */
import type { Sample } from "../contracts/sample.ts";
import type { Settings } from "../settings.ts";
import { maxMinFair } from "./max-min.ts";

/** What the allocation needs to know of a managed guest. */
export interface Claimant {
  class: "service" | "scientific";
  vcpus: number;
  /** Wanted now. */
  demandCores: number;
  slaCores: number | undefined;
  /** In LIST_sc by inference, not by declaration: a tenant can spin to earn CPU. */
  inferred: boolean;
}

export interface Allocation {
  /** What each claimant may have now, in the order given. */
  entitlements: number[];
  /** CPU for scientific guests: what services, host and exempt guests leave. */
  availableCores: number;
  /** Declared SLAs and the host's reserve exceed the host: they were scaled down. */
  oversubscribed: boolean;
  /** Factor that declared SLAs were scaled by; 1 where they fit. */
  slaScale: number;
  /** The limit on inferred guests held somebody back. */
  inferredLimited: boolean;
}

/** Division of a host. `otherUseCores`: used now by the host itself, by exempt guests and by VMM threads. */
export function allocate(
  claimants: readonly Claimant[],
  cpus: Sample["cpus"],
  otherUseCores: number,
  settings: Settings,
): Allocation {
  const usable = Math.max(0, cpus.length - settings.reserveCores);
  const slaScale = slaScaleOf(claimants, usable);
  const entitlements = claimants.map((guest) =>
    guest.class === "service" ? allocateSla(guest, cpus.length, slaScale) : 0,
  );
  const servicesTake = claimants.reduce(
    (sum, guest, i) =>
      guest.class === "service" ? sum + Math.min(guest.demandCores, entitlements[i] ?? 0) : sum,
    0,
  );
  const availableCores = Math.max(0, usable - otherUseCores - servicesTake);
  const inferredLimited = allocatePr(
    claimants,
    entitlements,
    { availableCores, slaScale, cpus: cpus.length },
    settings,
  );
  return { entitlements, availableCores, oversubscribed: slaScale < 1, slaScale, inferredLimited };
}

function slaScaleOf(claimants: readonly Claimant[], usable: number): number {
  const promised = claimants.reduce((sum, guest) => sum + Math.min(guest.slaCores ?? 0, guest.vcpus), 0);
  return promised > usable ? usable / promised : 1;
}

/** allocate_SLA: the CPU that a service guest was promised; without a promise its vCPUs, never more than the host. */
function allocateSla(guest: Claimant, hostCpus: number, slaScale: number): number {
  if (guest.slaCores === undefined) return Math.min(guest.vcpus, hostCpus);
  return Math.min(guest.slaCores * slaScale, guest.vcpus, hostCpus);
}

/**
 * allocate_PR: the available CPU over the guests of LIST_sc, max-min fair, each with its own SLA as floor and its
 * vCPUs as ceiling. Fills in their entitlements; says whether the limit on inferred guests held somebody back.
 */
function allocatePr(
  claimants: readonly Claimant[],
  entitlements: number[],
  host: { availableCores: number; slaScale: number; cpus: number },
  settings: Settings,
): boolean {
  const scientific: number[] = [];
  for (const [i, guest] of claimants.entries()) if (guest.class === "scientific") scientific.push(i);
  if (scientific.length === 0) return false;
  const divide = (members: readonly number[], capacity: number): number => {
    const shares = maxMinFair(
      capacity,
      members.map((i) => scientificClaim(claimants[i], host, settings)),
    );
    for (const [k, i] of members.entries()) entitlements[i] = shares[k] ?? 0;
    return shares.reduce((sum, share) => sum + share, 0);
  };
  divide(scientific, host.availableCores);

  const inferred = scientific.filter((i) => claimants[i]?.inferred === true);
  const inferredMax = settings.inferredShareMax * host.cpus;
  const inferredSum = inferred.reduce((sum, i) => sum + (entitlements[i] ?? 0), 0);
  if (inferredSum <= inferredMax) return false;
  const given = divide(inferred, inferredMax);
  const declared = scientific.filter((i) => claimants[i]?.inferred !== true);
  divide(declared, Math.max(0, host.availableCores - given));
  return true;
}

function scientificClaim(
  guest: Claimant | undefined,
  host: { slaScale: number; cpus: number },
  settings: Settings,
): { floor: number; ceiling: number } {
  const ceiling = Math.min(guest?.vcpus ?? 0, host.cpus);
  const least = (guest?.vcpus ?? 0) * settings.minimumVcpuCores;
  return { floor: Math.min(ceiling, Math.max(least, (guest?.slaCores ?? 0) * host.slaScale)), ceiling };
}
