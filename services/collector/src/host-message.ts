/** The host message: what this host is. */
import { hostname } from "node:os";
import { CONTRACT_VERSION, type CpuTopology, type Host } from "@kvm-governor/policy";
import { capabilitiesOf, cgroupVersionOf, readKernelRelease, type CgroupMounts } from "@kvm-governor/linux";

export interface HostFacts {
  host: string;
  bootId: string;
  procRoot: string;
  mounts: CgroupMounts;
  hasPerf: boolean;
  hasPsi: boolean;
  metricsUrls: Readonly<Record<string, string>>;
}

/** When the message is made. */
export type HostTime = Pick<Host, "wallTimeMs" | "bootTimeUs">;

export function hostMessage(facts: HostFacts, topology: readonly CpuTopology[], now: HostTime): Host {
  return {
    schema: CONTRACT_VERSION,
    host: facts.host,
    name: hostname(),
    bootId: facts.bootId,
    ...now,
    kernel: readKernelRelease(facts.procRoot),
    cgroupVersion: cgroupVersionOf(facts.mounts),
    topology: [...topology],
    capabilities: capabilitiesOf(facts),
    metrics: { ...facts.metricsUrls },
  };
}
