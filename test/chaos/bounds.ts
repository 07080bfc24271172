/** Floors and ceilings of a plan, judged by code that shares nothing with what made it. */
import type { GuestPlan, Plan } from "@kvm-governor/policy";

/** Amounts in a plan are rounded. */
const ROUNDING = 0.0015;

/**
 * What a plan would do that no plan may: a guest below what it was promised (or below the least of each vCPU), above its vCPUs,
 * on no CPU or on one that the host has not, or two guests alone on the same CPU.
 * @param cpus of the host
 * @param minimumVcpuCores least of each vCPU, in cores
 */
export function outOfBounds(plan: Plan, cpus: number, minimumVcpuCores: number): string[] {
  const problems = plan.guests.flatMap((guest) => [
    ...bandwidthProblems(guest, minimumVcpuCores),
    ...cpuProblems(guest, cpus),
  ]);
  const promised = plan.guests.reduce((sum, { slaCores = 0 }) => sum + slaCores, 0);
  if (promised > cpus + ROUNDING) problems.push(`guests are promised ${promised} of ${cpus} cores`);
  const names = plan.guests.map(({ uuid }) => uuid);
  if (new Set(names).size !== names.length) problems.push("a guest is in the plan twice");
  return problems;
}

function bandwidthProblems(guest: GuestPlan, minimumVcpuCores: number): string[] {
  const problems: string[] = [];
  let sum = 0;
  let isCapped = false;
  for (const { index, bandwidth } of guest.vcpus) {
    if (typeof bandwidth !== "number") {
      sum += 1;
      continue;
    }
    isCapped = true;
    sum += bandwidth;
    if (bandwidth < minimumVcpuCores - ROUNDING || bandwidth > 1 + ROUNDING)
      problems.push(`${guest.name}: vcpu ${index} gets ${bandwidth} cores`);
  }
  const floor = Math.min(guest.slaCores ?? 0, guest.vcpus.length);
  if (isCapped && sum < floor - guest.vcpus.length * ROUNDING)
    problems.push(`${guest.name}: gets ${sum} cores and is promised ${floor}`);
  if (isCapped && guest.class === "service" && guest.slaCores === undefined)
    problems.push(`${guest.name}: a service without an SLA is capped at ${sum} cores`);
  return problems;
}

function cpuProblems({ name, vcpus, emulatorCpus, ioThreadCpus }: GuestPlan, cpus: number): string[] {
  const sets = [...vcpus.map((vcpu) => vcpu.cpus), emulatorCpus, ioThreadCpus];
  return sets.flatMap((set) => {
    if (set === "baseline") return [];
    if (set.length === 0) return [`${name}: may run on no CPU`];
    const wrong = set.find((cpu) => cpu < 0 || cpu >= cpus);
    return wrong === undefined ? [] : [`${name}: may run on CPU ${wrong}, which the host has not`];
  });
}
