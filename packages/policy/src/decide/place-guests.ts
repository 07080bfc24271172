/** Who gets which CPUs: what the decision knows of guests and host, as placement (place.ts) asks for it. */
import type { GuestSample, Sample } from "../contracts/sample.ts";
import type { Settings } from "../settings.ts";
import type { Topology } from "../topology.ts";
import { steadyCores } from "./allocate.ts";
import type { Allocation } from "./allocate.ts";
import type { Claims } from "./claims.ts";
import type { Kept } from "./kept.ts";
import type { Managed, SortedGuests } from "./managed.ts";
import { place } from "./place.ts";
import type { Placement, Tenant } from "./place.ts";
import { hadCpusAlone } from "./reasons.ts";

/** Use by the host itself, by guests that are not managed and by VMM threads: none of it is there to be given away. */
export function unmanagedUse(sample: Sample, { exempt, duplicates }: SortedGuests): number {
  let cores = steadyCores(sample.hostRun);
  for (const guest of sample.guests) cores += steadyCores(guest.otherRun);
  for (const guest of exempt) for (const vcpu of guest.vcpus) cores += steadyCores(vcpu.run);
  for (const guest of duplicates) for (const vcpu of guest.vcpus) cores += steadyCores(vcpu.run);
  return cores;
}

/** Use by whom we do not manage: all of it, and the part of it that sits on claimed CPUs. */
interface Unmanaged {
  cores: number;
  claims: Claims;
}

interface Ground {
  sample: Sample;
  topology: Topology | undefined;
  unmanaged: Unmanaged;
  /** Declared delays do not forbid CPUs alone. */
  mayBeAlone: boolean;
}

/** Where the guests of a host run, those included that cannot be read just now. */
export function placeGuests(
  managed: readonly Managed[],
  kept: readonly Kept[],
  allocation: Allocation,
  { sample, topology, unmanaged, mayBeAlone }: Ground,
  settings: Settings,
): Placement {
  // CPUs of a guest that cannot be read just now stay its own.
  const taken = new Map<string, readonly number[]>();
  for (const { uuid, plan } of kept) {
    const own = hadCpusAlone(plan);
    if (own !== undefined) taken.set(uuid, own);
  }
  const cpus = without(sample.cpus, taken);
  if (settings.preset === "paper" || allocation.oversubscribed || allocation.inferredLimited || !mayBeAlone)
    return { exclusive: taken, shared: cpus };
  const { exclusive, ...rest } = place(
    managed.map(({ sample: guest, classified, before }, i) => ({
      uuid: guest.uuid,
      class: classified.class,
      vcpus: guest.vcpus.length,
      assuredCores: allocation.assured[i] ?? 0,
      allowedCpus: guest.allowedCpus,
      vcpuPins: vcpuPinsOf(guest),
      memory: guest.memoryNodes,
      before: hadCpusAlone(before),
    })),
    {
      cpus,
      reserveCores: settings.reserveCores,
      // What claimants use is counted by their claims.
      unmanagedCores: Math.max(0, steadyCores(unmanaged.cores - unmanaged.claims.usedCores)),
      topology,
      claims: unmanaged.claims.parts,
      // A guest that cannot be read cannot make room either: its own CPUs stay as they are.
      mayBegin: kept.length === 0,
    },
  );
  return { exclusive: taken.size === 0 ? exclusive : new Map([...taken, ...exclusive]), ...rest };
}

/** Pins of each vCPU, where they are not all the guest's. */
function vcpuPinsOf({ vcpus, allowedCpus }: GuestSample): Tenant["vcpuPins"] {
  if (vcpus.every((vcpu) => vcpu.allowedCpus === undefined)) return undefined;
  return vcpus.map((vcpu) => vcpu.allowedCpus ?? allowedCpus);
}

function without(cpus: readonly number[], taken: ReadonlyMap<string, readonly number[]>): readonly number[] {
  if (taken.size === 0) return cpus;
  const gone = new Set([...taken.values()].flat());
  return cpus.filter((cpu) => !gone.has(cpu));
}
