/** Entitlements: allocate_SLA and allocate_PR of the paper, over the whole host at every period. Amounts in cores. */
import type { GuestClass } from "../contracts/fields.ts";
import type { Sample } from "../contracts/sample.ts";
import type { Settings } from "../settings.ts";
import { maxMinFair } from "./max-min.ts";
import type { Claim } from "./max-min.ts";

/** What the allocation needs to know of a managed guest. */
export interface Claimant {
  class: GuestClass;
  vcpus: number;
  /** Most that it can use: its vCPUs, or the CPUs that it is pinned to where these are fewer. */
  mostCores: number;
  /** Wanted now. */
  demandCores: number;
  slaCores: number | undefined;
  /** In its list by inference, not by declaration: a tenant can spin to earn CPU. */
  inferred: boolean;
}

export interface Allocation {
  /** What each claimant may have now, in the order given. */
  entitlements: number[];
  /**
   * What each keeps when every service takes all that it is entitled to. Changes with guests and promises, not with
   * load: placement rests on it.
   */
  assured: number[];
  /** What each was promised, at most what it can use, scaled where promises exceed the host. */
  promised: (number | undefined)[];
  /** CPU for scientific guests: what services, host and exempt guests leave. */
  availableCores: number;
  /** Declared SLAs and the host's reserve exceed the host: they were scaled down. */
  oversubscribed: boolean;
  /** Factor that declared SLAs were scaled by; 1 where they fit. */
  slaScale: number;
  /** The limit on inferred guests held somebody back. */
  inferredLimited: boolean;
  /** Most that each scientific guest may have while services wait too long, whatever is idle; absent: no such limit. */
  caps?: (number | undefined)[];
}

/**
 * Division of a host. `otherUseCores`: used now by the host itself, by exempt guests and by VMM threads.
 * @param part of what scientific guests could have without any service, that they may have at most
 */
export function allocate(
  claimants: readonly Claimant[],
  cpus: Sample["cpus"],
  otherUseCores: number,
  settings: Settings,
  part = 1,
): Allocation {
  const usable = Math.max(0, cpus.length - settings.reserveCores);
  const { promised, slaScale } = promises(claimants, cpus.length, usable);
  const entitlements = claimants.map((guest, i) =>
    guest.class === "service" ? (promised[i] ?? Math.min(guest.mostCores, cpus.length)) : 0,
  );
  let servicesTake = 0;
  let servicesMayTake = 0;
  for (const [i, guest] of claimants.entries()) {
    const entitled = entitlements[i] ?? 0;
    servicesMayTake += entitled;
    if (guest.class === "service") servicesTake += steadyCores(Math.min(guest.demandCores, entitled));
  }
  const taken = steadyCores(otherUseCores + servicesTake);
  const availableCores = steadyCores(Math.max(0, usable - taken));
  const assured = [...entitlements];
  const scientific = scientificClaims(claimants, promised, cpus.length, settings);
  let inferredLimited = false;
  if (scientific.length > 0) {
    inferredLimited = allocatePr(
      scientific,
      availableCores,
      settings.inferredShareMax * cpus.length,
      entitlements,
    );
    divide(scientific, Math.max(0, usable - servicesMayTake), assured);
  }
  const caps = part < 1 ? capsOf(scientific, usable, part) : undefined;
  for (const [at, cap] of caps?.entries() ?? [])
    entitlements[at] = Math.min(entitlements[at] ?? 0, cap ?? Infinity);
  return {
    entitlements,
    assured,
    promised,
    availableCores,
    oversubscribed: slaScale < 1,
    slaScale,
    inferredLimited,
    ...(caps === undefined ? {} : { caps }),
  };
}

/** Of CPUs and guests, not of load: they stay as they are while services come and go. Never below a floor. */
function capsOf(claims: readonly ScientificClaim[], usable: number, part: number): (number | undefined)[] {
  const caps: (number | undefined)[] = [];
  divide(claims, usable, caps);
  for (const { at, floor } of claims) caps[at] = Math.max(floor / MICRO, steadyCores((caps[at] ?? 0) * part));
  return caps;
}

/** Whether an amount suffices, but for what adding in another order changes. Amounts in cores. */
export function suffices(amount: number, needed: number): boolean {
  return amount >= needed - 0.5 / MICRO;
}

/** Amounts are steady to a millionth of a core, as samples are: the order of additions leaves no trace in them. */
const MICRO = 1e6;

/** To a millionth of a core. */
export function steadyCores(value: number): number {
  return Math.round(value * MICRO) / MICRO;
}

/** A guest cannot be promised more than it can use; promises that exceed the host are scaled alike. */
function promises(
  claimants: readonly Claimant[],
  hostCpus: number,
  usable: number,
): Pick<Allocation, "promised" | "slaScale"> {
  let sum = 0;
  const promised = claimants.map(({ slaCores, mostCores }) => {
    if (slaCores === undefined) return undefined;
    const most = steadyCores(Math.min(slaCores, mostCores, hostCpus));
    sum += most;
    return most;
  });
  if (suffices(usable, sum)) return { promised, slaScale: 1 };
  const slaScale = usable / steadyCores(sum);
  return {
    promised: promised.map((cores) => (cores === undefined ? undefined : steadyCores(cores * slaScale))),
    slaScale,
  };
}

/** A guest of LIST_sc: its own SLA is its floor, what it can use its ceiling; both in whole millionths of a core. */
interface ScientificClaim extends Claim {
  at: number;
  inferred: boolean;
}

function scientificClaims(
  claimants: readonly Claimant[],
  promised: readonly (number | undefined)[],
  hostCpus: number,
  settings: Settings,
): ScientificClaim[] {
  const claims: ScientificClaim[] = [];
  for (const [at, guest] of claimants.entries()) {
    if (guest.class !== "scientific") continue;
    const ceiling = Math.min(guest.mostCores, hostCpus) * MICRO;
    const least = Math.max(guest.vcpus * settings.minimumVcpuCores, promised[at] ?? 0);
    const floor = Math.min(ceiling, Math.round(least * MICRO));
    claims.push({ at, floor, ceiling, inferred: guest.inferred });
  }
  return claims;
}

/**
 * allocate_PR: the available CPU over the guests of LIST_sc, max-min fair. Fills in their entitlements; says whether
 * the limit on inferred guests held somebody back.
 */
function allocatePr(
  claims: readonly ScientificClaim[],
  availableCores: number,
  inferredMaxCores: number,
  entitlements: number[],
): boolean {
  divide(claims, availableCores, entitlements);
  const inferred = claims.filter((claim) => claim.inferred);
  const inferredSum = inferred.reduce((sum, { at }) => sum + (entitlements[at] ?? 0), 0);
  if (suffices(inferredMaxCores, inferredSum)) return false;
  const given = divide(inferred, inferredMaxCores, entitlements);
  const declared = claims.filter((claim) => !claim.inferred);
  divide(declared, Math.max(0, availableCores - given), entitlements);
  return true;
}

/** Divides a capacity in cores among claims, into `shares`; returns what was given in all. */
function divide(
  claims: readonly ScientificClaim[],
  capacity: number,
  shares: (number | undefined)[],
): number {
  const given = maxMinFair(Math.round(capacity * MICRO), claims);
  let sum = 0;
  for (const [k, { at }] of claims.entries()) {
    const share = Math.round(given[k] ?? 0);
    shares[at] = share / MICRO;
    sum += share;
  }
  return sum / MICRO;
}
