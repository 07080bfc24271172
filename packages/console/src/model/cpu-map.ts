/** A host's CPUs and who runs where, as the plan has it. */
import type { GuestPlan, GuestSample, Host } from "@kvm-governor/policy";
import type { HostFacts, TickFacts } from "../facts.ts";
import type { CpuRow } from "./model.ts";
import { visible } from "./words.ts";

/** Reason of a plan whose guest has each of its CPUs alone. */
const CPUS_ALONE = "cpus-alone";
/** A cell has room for so many names. */
const NAMES_MAX = 3;

interface Owner {
  uuid: string;
  name: string;
  vcpu: number;
}

/** By CPU number. Without an announcement of the host all CPUs lie side by side. */
export function cpuMap({ tick, announced }: HostFacts): Record<string, CpuRow> {
  const topology = announced?.host.topology ?? flat(tick?.sample.cpus ?? []);
  const usable = new Set(tick?.sample.cpus ?? topology.map(({ cpu }) => cpu));
  const owners = tick === undefined ? new Map<number, Owner>() : ownersOf(tick);
  const guests = tick === undefined ? new Map<number, MayRun>() : mayRunOn(tick);
  const rows: Record<string, CpuRow> = {};
  for (const each of topology) {
    const owner = owners.get(each.cpu);
    const { count = 0, pinned = [] } = guests.get(each.cpu) ?? {};
    const isUsable = usable.has(each.cpu) && !each.isolated;
    rows[each.cpu] = {
      package: each.package,
      node: each.node,
      llc: each.llc,
      core: each.core,
      role: !isUsable ? "isolated" : owner === undefined ? "shared" : "scientific",
      guest: owner?.uuid ?? "",
      guestName: owner === undefined ? "" : visible(owner.name),
      vcpu: owner?.vcpu ?? null,
      mayRun: count - (owner === undefined ? 0 : 1),
      pinned,
    };
  }
  return { ...rows, ...offline(topology) };
}

function flat(cpus: readonly number[]): Host["topology"] {
  return cpus.map((cpu) => ({ cpu, package: 0, node: 0, llc: 0, core: cpu, isolated: false }));
}

/** Hosts announce CPUs that are online: a number that is left out between them is offline. */
function offline(topology: Host["topology"]): Record<string, CpuRow> {
  const online = new Set(topology.map(({ cpu }) => cpu));
  const rows: Record<string, CpuRow> = {};
  for (let cpu = 0; cpu < Math.max(0, ...online); cpu++) {
    if (online.has(cpu)) continue;
    const nobody = { guest: "", guestName: "", vcpu: null, mayRun: 0, pinned: [] };
    rows[cpu] = { package: -1, node: -1, llc: -1, core: cpu, role: "offline", ...nobody };
  }
  return rows;
}

function ownersOf({ plan }: TickFacts): Map<number, Owner> {
  const owners = new Map<number, Owner>();
  for (const { uuid, name, vcpus, reasons } of plan.guests) {
    if (!reasons.some(({ code }) => code === CPUS_ALONE)) continue;
    for (const { index, cpus } of vcpus) {
      const [cpu] = cpus === "baseline" ? [] : cpus;
      if (cpu !== undefined) owners.set(cpu, { uuid, name, vcpu: index });
    }
  }
  return owners;
}

interface MayRun {
  count: number;
  pinned: string[];
}

function mayRunOn({ plan, guests, sample }: TickFacts): Map<number, MayRun> {
  const plans = new Map(plan.guests.map((guest) => [guest.uuid, guest]));
  const all = new Map<number, MayRun>(sample.cpus.map((cpu) => [cpu, { count: 0, pinned: [] }]));
  for (const guest of guests.values()) {
    for (const cpu of cpusOf(guest, plans.get(guest.uuid), sample.cpus)) {
      let there = all.get(cpu);
      if (there === undefined) all.set(cpu, (there = { count: 0, pinned: [] }));
      there.count += 1;
      if (guest.allowedCpus !== undefined && there.pinned.length < NAMES_MAX)
        there.pinned.push(visible(guest.name));
    }
  }
  return all;
}

function cpusOf(
  guest: GuestSample,
  plan: GuestPlan | undefined,
  usable: readonly number[],
): Iterable<number> {
  const asFound = guest.allowedCpus ?? usable;
  if (plan === undefined) return asFound;
  const cpus = new Set<number>();
  for (const vcpu of plan.vcpus)
    for (const cpu of vcpu.cpus === "baseline" ? asFound : vcpu.cpus) cpus.add(cpu);
  return cpus;
}
