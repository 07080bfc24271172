/** CPUs of the host's own, and CPU sets too small for a guest's floor: pure. */
import { formatCpuList, type Cpus, type GuestPlan } from "@kvm-governor/policy";
import type { Bound, Limited } from "./bound.ts";
import type { GuestLimits, LocalLimits } from "./schema.ts";

/** Takes the host's CPUs out of every planned set. One that had no others gets all that the host does not keep. */
export function offHostCpus(
  plan: GuestPlan,
  { hostCpus }: LocalLimits,
  onlineCpus: () => readonly number[],
): Limited {
  if (hostCpus.length === 0) return { plan, bounds: [] };
  const reserved = new Set(hostCpus);
  const others = onlineCpus().filter((cpu) => !reserved.has(cpu));
  const bounds: Bound[] = [];
  const off = (target: string, cpus: Cpus): Cpus => {
    if (cpus === "baseline") return cpus;
    const kept = cpus.filter((cpu) => !reserved.has(cpu));
    if (kept.length === cpus.length) return cpus;
    const instead = kept.length > 0 ? kept : others.length > 0 ? others : "baseline";
    const to = instead === "baseline" ? "as found" : formatCpuList(instead);
    const text = `CPUs ${formatCpuList(hostCpus)} are the host's: ${formatCpuList(cpus)} becomes ${to}`;
    bounds.push({ target, setting: "cpus", kind: "host-cpus", text });
    return instead;
  };
  const limited: GuestPlan = {
    ...plan,
    vcpus: plan.vcpus.map((vcpu) => ({ ...vcpu, cpus: off(`vcpu ${vcpu.index}`, vcpu.cpus) })),
    emulatorCpus: off("emulator", plan.emulatorCpus),
    ioThreadCpus: off("iothreads", plan.ioThreadCpus),
  };
  return { plan: limited, bounds };
}

/** vCPUs that together have fewer CPUs than the guest's floor stay where they were found. */
export function roomForFloor(plan: GuestPlan, { floorCores = 0 }: GuestLimits): Limited {
  const cpus = new Set<number>();
  for (const vcpu of plan.vcpus) {
    if (vcpu.cpus === "baseline") return { plan, bounds: [] };
    for (const cpu of vcpu.cpus) cpus.add(cpu);
  }
  if (cpus.size >= Math.min(floorCores, plan.vcpus.length)) return { plan, bounds: [] };
  const text = `${cpus.size} CPUs are fewer than the guest's floor of ${floorCores} cores: vCPUs stay as found`;
  return {
    plan: { ...plan, vcpus: plan.vcpus.map((vcpu) => ({ ...vcpu, cpus: "baseline" })) },
    bounds: [{ target: "guest", setting: "cpus", kind: "floor", text }],
  };
}
