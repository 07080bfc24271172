/** Who plays in the demo: the paper's three guests, with more services where the host is larger. */

export type Role = "pc" | "web" | "scientific";

export interface Part {
  name: string;
  role: Role;
  vcpus: number;
  /** Declared in the guest's metadata, in cores. */
  slaCores?: number;
}

/** Load of a PC guest, in percent of its vCPU: light and regular. */
export const PC_PERCENT = 25;
/** A web guest's promise, in cores. */
export const WEB_SLA_CORES = 0.9;
/** Part of the time that a web guest is in a burst, in the mean; see schedule.ts. */
export const WEB_DUTY = 0.65;
/** Part of the host that the services want together, at least. */
export const SERVICES_WANT_MIN = 0.4;
const SCIENTIFIC_VCPUS_MAX = 4;

/** What one PC and one web guest want together, in cores. */
const PAIR_CORES = PC_PERCENT / 100 + WEB_DUTY;

/** @param cpus CPUs of the host that guests may use */
export function castFor(cpus: number): Part[] {
  const pairs = Math.max(1, Math.ceil((SERVICES_WANT_MIN * cpus) / PAIR_CORES));
  const parts: Part[] = [];
  for (let i = 1; i <= pairs; i++) {
    const suffix = i === 1 ? "" : `-${i}`;
    parts.push({ name: `pc${suffix}`, role: "pc", vcpus: 1 });
    parts.push({ name: `web${suffix}`, role: "web", vcpus: 1, slaCores: WEB_SLA_CORES });
  }
  parts.push({ name: "scientific", role: "scientific", vcpus: Math.min(cpus, SCIENTIFIC_VCPUS_MAX) });
  return parts;
}
