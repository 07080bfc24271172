/** Guests that exist but could not be read at all: their state and their plan stay as they are. */
import type { Cpus, GuestPlan } from "../contracts/plan.ts";
import type { Sample } from "../contracts/sample.ts";
import { withoutCpusAlone } from "./reasons.ts";
import type { GuestState, HostState } from "../state.ts";

export interface Kept {
  uuid: string;
  state: GuestState;
  /** Absent where the last plan was made for another boot: its processes are gone. */
  plan: GuestPlan | undefined;
  /** Why it could not be read. */
  reason: string;
}

/** A guest whose UUID could not be read either is known by its name. */
export function keptGuests(
  sample: Sample,
  previous: HostState | undefined,
  plansBefore: ReadonlyMap<string, GuestPlan>,
): Kept[] {
  if (previous === undefined || sample.unreadable.length === 0) return [];
  const read = new Set(sample.guests.map((guest) => guest.uuid));
  const reasonByUuid = new Map<string, string>();
  const reasonByName = new Map<string, string>();
  for (const { uuid, name, reason } of sample.unreadable) {
    if (uuid === undefined) reasonByName.set(name, reason);
    else reasonByUuid.set(uuid, reason);
  }
  const kept: Kept[] = [];
  for (const [uuid, state] of Object.entries(previous.guests)) {
    const reason = reasonByUuid.get(uuid) ?? reasonByName.get(state.name);
    if (reason === undefined || read.has(uuid)) continue;
    const plan = previous.bootId === sample.bootId ? plansBefore.get(uuid) : undefined;
    kept.push({ uuid, state, plan, reason });
  }
  return kept;
}

/** Its last plan; CPUs that went offline since are left out, and where none is left it joins the shared ones. */
export function keptPlan(plan: GuestPlan, cpus: readonly number[], shared: readonly number[]): GuestPlan {
  const online = (set: Cpus): boolean => set === "baseline" || set.every((cpu) => cpus.includes(cpu));
  const { vcpus, emulatorCpus, ioThreadCpus } = plan;
  if (online(emulatorCpus) && online(ioThreadCpus) && vcpus.every((vcpu) => online(vcpu.cpus))) return plan;
  const fit = (set: Cpus): Cpus => {
    if (set === "baseline") return set;
    const left = set.filter((cpu) => cpus.includes(cpu));
    if (left.length > 0) return left;
    return shared.length > 0 ? [...shared] : "baseline";
  };
  return {
    ...plan,
    vcpus: vcpus.map((vcpu) => ({ ...vcpu, cpus: fit(vcpu.cpus) })),
    emulatorCpus: fit(emulatorCpus),
    ioThreadCpus: fit(ioThreadCpus),
    // On what others share it has nothing alone any more, even if that is a single CPU.
    reasons: withoutCpusAlone(plan.reasons),
  };
}
