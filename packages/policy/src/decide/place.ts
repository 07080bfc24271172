/**
 * Placement: a scientific guest gets whole CPUs of its own, one a vCPU, when its share covers all its vCPUs and the
 * services keep what they are entitled to on the other CPUs.
 *
 * The rule looks at entitlements, not at what services use at the moment: they change rarely, so CPUs change hands
 * rarely. A guest with more vCPUs than CPUs it could have alone has no exclusive layout: squeezing vCPUs that meet at
 * barriers onto fewer CPUs makes each wait for the other.
 *
 * Three steps: who has CPUs alone keeps them; others begin, on the layout that costs least; if nobody begins, one guest
 * may move, where that gains enough. A move never makes another guest's layout worse, so moves come to an end.
 */
import type { GuestClass } from "../contracts/fields.ts";
import type { Topology } from "../topology.ts";
import { suffices } from "./allocate.ts";
import { Board } from "./board.ts";
import type { MemoryShare } from "./layout-cost.ts";

/** What placement needs to know of a managed guest. Amounts in cores. */
export interface Tenant {
  uuid: string;
  class: GuestClass;
  vcpus: number;
  /** What it keeps when every service takes all that it is entitled to. */
  assuredCores: number;
  /** CPUs its own configuration pins it to, ascending; absent: anywhere. */
  allowedCpus?: readonly number[] | undefined;
  /** Where its vCPUs are pinned apart: CPUs of each, ascending; undefined: anywhere. */
  vcpuPins?: readonly (readonly number[] | undefined)[] | undefined;
  /** Where its memory lies; absent: not known. */
  memory?: readonly MemoryShare[] | undefined;
  /** CPUs it had alone in the last plan, one a vCPU in order. */
  before?: readonly number[] | undefined;
}

/** CPUs to place on, and what of them must stay outside for who is no tenant. */
export interface Ground {
  /** Ascending. */
  cpus: readonly number[];
  reserveCores: number;
  /** Used now by the host and by exempt guests that are pinned to no few CPUs. */
  unmanagedCores: number;
  /** Whether guests may begin to have CPUs alone, or only keep those they had. */
  mayBegin: boolean;
  /** How the CPUs lie; absent: not known, and all are alike. */
  topology?: Topology | undefined;
  /** Part of CPUs that exempt guests are pinned to, by CPU number. */
  claims?: ReadonlyMap<number, number> | undefined;
}

export interface Placement {
  /** Guests that have CPUs alone: the CPU of each vCPU in order, by UUID. */
  exclusive: ReadonlyMap<string, readonly number[]>;
  /** CPUs of all others; all usable CPUs where nobody has any alone. */
  shared: readonly number[];
  /** How the CPUs lie that a guest has alone, in words; undefined where no topology is known. */
  layoutOf?: (uuid: string) => string | undefined;
}

export function place(tenants: readonly Tenant[], ground: Ground): Placement {
  const candidates = tenants.filter(
    (tenant) => tenant.class === "scientific" && suffices(tenant.assuredCores, tenant.vcpus),
  );
  if (candidates.length === 0) return { exclusive: new Map(), shared: ground.cpus };
  const board = new Board(tenants, ground);
  // Who has CPUs alone comes first, so that nobody takes them away, and keeps them through a busy moment of the host.
  const settled: Tenant[] = [];
  const begin: Tenant[] = [];
  for (const candidate of candidates.sort(byClaim)) {
    (board.keep(candidate, ground.reserveCores) ? settled : begin).push(candidate);
  }
  if (ground.mayBegin) {
    const outsideCores = ground.reserveCores + ground.unmanagedCores;
    let hasBegun = false;
    for (const candidate of begin) hasBegun = board.begin(candidate, outsideCores) || hasBegun;
    // Without a topology nothing is known to be better. One at a time: each plan costs the host little.
    if (!hasBegun && ground.topology !== undefined) {
      settled.some((candidate) => board.improve(candidate, ground.reserveCores));
    }
  }
  const layoutOf = (uuid: string): string | undefined => board.layoutOf(uuid);
  return { exclusive: board.exclusive, shared: board.shared(), layoutOf };
}

/** The larger guests first; the UUID makes the order total. */
function byClaim(a: Tenant, b: Tenant): number {
  return b.vcpus - a.vcpus || (a.uuid < b.uuid ? -1 : 1);
}
