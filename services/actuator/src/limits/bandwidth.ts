/** Floor and ceiling of a guest, and how fast its vCPUs may gain: pure. */
import type { Bandwidth, GuestPlan, VcpuPlan } from "@kvm-governor/policy";
import { round, type Limited } from "./bound.ts";
import type { GuestLimits, LocalLimits } from "./schema.ts";

/** A vCPU never uses more than one CPU. */
const coresOf = (bandwidth: Bandwidth): number =>
  typeof bandwidth === "number" ? Math.min(1, bandwidth) : 1;

/** As found before us is nobody's plan: neither limit applies to it. */
const isPlanned = ({ bandwidth }: VcpuPlan): boolean => bandwidth !== "baseline";

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);

/**
 * Raises what a vCPU gains by at most a step, from what it has now.
 * @param now bandwidth of each vCPU by index, in cores; infinite where it has no limit
 */
export function withinStep(plan: GuestPlan, limits: LocalLimits, now: ReadonlyMap<number, number>): Limited {
  const step = limits.stepUpCores[plan.class];
  if (step === undefined) return { plan, bounds: [] };
  const bounds: Limited["bounds"] = [];
  const vcpus = plan.vcpus.map((vcpu): VcpuPlan => {
    const from = now.get(vcpu.index) ?? Infinity;
    const most = from + step;
    if (!isPlanned(vcpu) || most >= coresOf(vcpu.bandwidth)) return vcpu;
    const text = `${describe(vcpu.bandwidth)} is more than ${step} cores above ${round(from)}: raised to ${round(most)} now`;
    bounds.push({ target: `vcpu ${vcpu.index}`, setting: "bandwidth", kind: "step", text });
    return { ...vcpu, bandwidth: most };
  });
  return { plan: { ...plan, vcpus }, bounds };
}

/** Cuts the largest first, all to one level, until the guest is within its ceiling. */
export function withinCeiling(plan: GuestPlan, { ceilingCores }: GuestLimits): Limited {
  const planned = plan.vcpus.filter(isPlanned);
  const values = planned.map(({ bandwidth }) => coresOf(bandwidth));
  if (ceilingCores === undefined || sum(values) <= ceilingCores || isPlacedWithin(plan, ceilingCores)) {
    return { plan, bounds: [] };
  }
  const level = levelBelow(values, ceilingCores);
  const vcpus = plan.vcpus.map((vcpu): VcpuPlan =>
    isPlanned(vcpu) && coresOf(vcpu.bandwidth) > level ? { ...vcpu, bandwidth: level } : vcpu,
  );
  const text = `${round(sum(values))} cores is above the guest's ceiling of ${ceilingCores} cores: cut to it`;
  return {
    plan: { ...plan, vcpus },
    bounds: [{ target: "guest", setting: "bandwidth", kind: "ceiling", text }],
  };
}

/** Raises the smallest first, all to one level, until the guest has its floor, or each of its vCPUs a whole CPU. */
export function withinFloor(plan: GuestPlan, { floorCores = 0 }: GuestLimits): Limited {
  const values = plan.vcpus.map(({ bandwidth }) => coresOf(bandwidth));
  const floor = Math.min(floorCores, values.length);
  if (sum(values) >= floor) return { plan, bounds: [] };
  const level = levelAbove(values, floor);
  const vcpus = plan.vcpus.map((vcpu): VcpuPlan =>
    isPlanned(vcpu) && coresOf(vcpu.bandwidth) < level ? { ...vcpu, bandwidth: level } : vcpu,
  );
  const text = `${round(sum(values))} cores is below the guest's floor of ${floorCores} cores: raised to it`;
  return {
    plan: { ...plan, vcpus },
    bounds: [{ target: "guest", setting: "bandwidth", kind: "floor", text }],
  };
}

/** Level to which values are cut so that they add up to a total. */
function levelBelow(values: readonly number[], total: number): number {
  let left = total;
  const rising = values.toSorted((a, b) => a - b);
  for (const [at, value] of rising.entries()) {
    const share = left / (rising.length - at);
    if (value >= share) return share;
    left -= value;
  }
  return Infinity;
}

/** Level to which values are raised so that they add up to a total. */
function levelAbove(values: readonly number[], total: number): number {
  let left = total;
  const falling = values.toSorted((a, b) => b - a);
  for (const [at, value] of falling.entries()) {
    const share = left / (falling.length - at);
    if (value <= share) return share;
    left -= value;
  }
  return 0;
}

/** CPU sets that hold fewer CPUs than the ceiling are a ceiling already. */
function isPlacedWithin({ vcpus }: GuestPlan, ceilingCores: number): boolean {
  const cpus = new Set<number>();
  for (const vcpu of vcpus) {
    if (vcpu.cpus === "baseline") return false;
    for (const cpu of vcpu.cpus) cpus.add(cpu);
  }
  return cpus.size <= ceilingCores;
}

const describe = (bandwidth: Bandwidth): string =>
  typeof bandwidth === "number" ? `${round(bandwidth)} cores` : "no limit";
