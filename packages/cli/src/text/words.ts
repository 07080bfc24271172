/** How times, lengths and settings are said to people. */
import type { Bandwidth, Cpus, GuestPlan, Weight } from "@kvm-governor/policy";
import { formatCpuList } from "@kvm-governor/policy";

export const listName = { service: "LIST_se", scientific: "LIST_sc", exempt: "exempt" } as const;

/** `0.4 s`, `12 s`, `5 min`, `3 h`, `2 d`. */
export function lengthOf(ms: number): string {
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** Local date and time to the second. */
export function timeOf(ms: number): string {
  const at = new Date(ms);
  const two = (value: number): string => String(value).padStart(2, "0");
  const day = `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}`;
  return `${day} ${two(at.getHours())}:${two(at.getMinutes())}:${two(at.getSeconds())}`;
}

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
