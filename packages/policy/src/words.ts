/** How lists and settings are said to people: the same words at the command line and in the console. */
import type { Bandwidth, Cpus, GuestPlan, Weight } from "./contracts/plan.ts";
import { formatCpuList } from "./cpu-list.ts";

export const listName = { service: "LIST_se", scientific: "LIST_sc", exempt: "exempt" } as const;

export const percent = (part: number): string => `${(part * 100).toFixed(0)}%`;

export const bandwidthText = (value: Bandwidth): string =>
  value === "baseline" ? "as found" : value === "unlimited" ? "no limit" : `${value.toFixed(2)} cores`;

export const weightText = (value: Weight): string =>
  value === "baseline" ? "as found" : value === "idle" ? "idle (below every service)" : String(value);

export const cpusText = (value: Cpus): string => (value === "baseline" ? "as found" : formatCpuList(value));

/** One value for all vCPUs, or one for each. */
export function ofVcpus<T>(
  vcpus: GuestPlan["vcpus"],
  pick: (vcpu: GuestPlan["vcpus"][number]) => T,
  text: (value: T) => string,
): string {
  const texts = vcpus.map((vcpu) => text(pick(vcpu)));
  if (new Set(texts).size <= 1) return texts[0] ?? "";
  return vcpus.map(({ index }, at) => `vCPU ${index} ${texts[at]}`).join(", ");
}

/** How a guest is held, in one line. */
export function heldText({
  vcpus,
  weight,
  emulatorCpus,
  ioThreadCpus,
}: Pick<GuestPlan, "vcpus" | "weight" | "emulatorCpus" | "ioThreadCpus">): string {
  const parts = [
    `bandwidth ${ofVcpus(vcpus, ({ bandwidth }) => bandwidth, bandwidthText)}`,
    `CPUs ${ofVcpus(vcpus, ({ cpus }) => cpus, cpusText)}`,
    `weight ${weightText(weight)}`,
  ];
  if (emulatorCpus !== "baseline") parts.push(`emulator on CPUs ${cpusText(emulatorCpus)}`);
  if (ioThreadCpus !== "baseline") parts.push(`I/O threads on CPUs ${cpusText(ioThreadCpus)}`);
  return parts.join("; ");
}
