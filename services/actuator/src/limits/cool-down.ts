/** Keeps a guest as it is for a while after a change, unless somebody would have to wait for the next one: pure. */
import type { Bandwidth, Cpus, GuestPlan, Weight } from "@kvm-governor/policy";
import type { Limited } from "./bound.ts";

export interface LastChange {
  plan: GuestPlan;
  /** Monotonic time in milliseconds. */
  atMs: number;
}

export function afterCoolDown(
  plan: GuestPlan,
  last: LastChange | undefined,
  { coolDownMs, nowMs }: { coolDownMs: number; nowMs: number },
): Limited {
  if (last === undefined || nowMs - last.atMs >= coolDownMs) return { plan, bounds: [] };
  if (isSamePlan(plan, last.plan) || isUrgent(last.plan, plan)) return { plan, bounds: [] };
  // The text stays the same while it cools, so that it is said once.
  const text = `it changed less than ${coolDownMs} ms ago: it stays as it is for now`;
  return { plan: last.plan, bounds: [{ target: "guest", setting: "bandwidth", kind: "cool-down", text }] };
}

/** Whether two plans hold a guest alike; reasons and counts may differ. */
export function isSamePlan(a: GuestPlan, b: GuestPlan): boolean {
  if (a === b) return true;
  return (
    a.class === b.class &&
    a.weight === b.weight &&
    a.periodUs === b.periodUs &&
    a.pid === b.pid &&
    a.startTime === b.startTime &&
    isSameSet(a.emulatorCpus, b.emulatorCpus) &&
    isSameSet(a.ioThreadCpus, b.ioThreadCpus) &&
    a.vcpus.length === b.vcpus.length &&
    a.vcpus.every((vcpu, at) => {
      const other = b.vcpus[at];
      return (
        vcpu.index === other?.index && vcpu.bandwidth === other.bandwidth && isSameSet(vcpu.cpus, other.cpus)
      );
    })
  );
}

/** A service that gains, a scientific guest that loses, a guest that changes sides or is given back: nobody waits for those. */
function isUrgent(from: GuestPlan, to: GuestPlan): boolean {
  if (from.class !== to.class) return true;
  const [less, more] = to.class === "service" ? [from, to] : [to, from];
  if (weightRank(more.weight) > weightRank(less.weight)) return true;
  return to.vcpus.some((vcpu, at) => {
    const before = from.vcpus[at];
    if (before === undefined || before.index !== vcpu.index) return true;
    const [smaller, larger] = to.class === "service" ? [before, vcpu] : [vcpu, before];
    return coresRank(larger.bandwidth) > coresRank(smaller.bandwidth) || hasOthers(larger.cpus, smaller.cpus);
  });
}

const coresRank = (bandwidth: Bandwidth): number => (typeof bandwidth === "number" ? bandwidth : Infinity);

const weightRank = (weight: Weight): number => (weight === "idle" ? 0 : weight === "baseline" ? 1 : weight);

/** Whether the one set has CPUs that the other lacks; as found, it has all. */
function hasOthers(set: Cpus, than: Cpus): boolean {
  if (than === "baseline") return false;
  return set === "baseline" || set.some((cpu) => !than.includes(cpu));
}

function isSameSet(a: Cpus, b: Cpus): boolean {
  if (a === b) return true;
  return a !== "baseline" && b !== "baseline" && a.length === b.length && a.every((cpu, at) => cpu === b[at]);
}
