/**
 * Guests that are left alone unless their class is declared, and the CPUs that a configuration pins a guest to.
 *
 * - `realtime`: a vCPU runs under SCHED_FIFO, SCHED_RR or SCHED_DEADLINE, or the definition asks for it. A quota does
 *   not throttle it (real-time bandwidth is another control), and every other CPU set breaks its promise.
 * - `cpu-pm`: the guest idles on the CPU itself (`-overcommit cpu-pm=on`), so its vCPUs look busy whatever they do.
 * - `dedicated`: the *configuration* pins each vCPU to exactly one CPU, each another one. That is how OpenStack's
 *   `hw:cpu_policy=dedicated`, KubeVirt's `dedicatedCpuPlacement`, oVirt's pinning and latency guides write "this guest
 *   owns these CPUs", for one vCPU as for many: a guest with a single vCPU counts too. Several vCPUs on one CPU, or a
 *   set of CPUs for all (`<vcpu cpuset='2-5'>`), only say where: such a guest is managed, inside that set.
 *   What looks dedicated and is not costs its operator one declaration; the other mistake would cost an SLA.
 */
import type { ExemptReason } from "@kvm-governor/policy";

export interface ExemptionFacts {
  realtime: boolean;
  cpuPm: boolean;
  /** Per vCPU the CPUs of its configuration; undefined: anywhere. */
  pins: readonly (readonly number[] | undefined)[];
}

/** Why a guest is left alone, strongest reason first; undefined: it is managed. */
export function exemptReasonOf(facts: ExemptionFacts): ExemptReason | undefined {
  if (facts.realtime) return "realtime";
  if (facts.cpuPm) return "cpu-pm";
  return isDedicated(facts.pins) ? "dedicated" : undefined;
}

/** Whether each vCPU is pinned to one CPU of its own. */
export function isDedicated(pins: ExemptionFacts["pins"]): boolean {
  const single = pins.flatMap((pin) => (pin?.length === 1 ? pin : []));
  return pins.length > 0 && single.length === pins.length && new Set(single).size === pins.length;
}

/** CPUs that a guest as a whole may use by its configuration; undefined where a vCPU of it may run anywhere. */
export function allowedCpusOf(pins: ExemptionFacts["pins"]): number[] | undefined {
  const union = new Set<number>();
  for (const pin of pins) {
    if (pin === undefined) return undefined;
    for (const cpu of pin) union.add(cpu);
  }
  return union.size === 0 ? undefined : [...union].sort((a, b) => a - b);
}
