/** The libvirt XML of a guest. */
import type { GuestLoad } from "./images.ts";

/** A guest to be made. Amounts are libvirt's: period and quota in microseconds. */
export interface GuestSpec {
  name: string;
  /** Default: random. */
  uuid?: string;
  load?: GuestLoad;
  /** vCPUs that it may have; it starts with those of its load. Default: the same. */
  vcpusMax?: number;
  /** What the guest declares to kvm-governor: attributes of `<kvmgov:policy>`, for instance `{ class: "service", slaCores: 0.9 }`. */
  policy?: Record<string, string | number>;
  cputune?: CpuTune;
  /** Number of I/O threads. */
  iothreads?: number;
  /** More XML for `<domain>`, as it is. */
  extraXml?: string;
}

export interface CpuTune {
  shares?: number;
  periodUs?: number;
  quotaUs?: number;
  globalPeriodUs?: number;
  globalQuotaUs?: number;
  emulatorPeriodUs?: number;
  emulatorQuotaUs?: number;
  /** Per pinned vCPU its CPU set, for instance `{ vcpu: 0, cpuset: "0-1" }`. */
  vcpupin?: readonly { vcpu: number; cpuset: string }[];
  emulatorpin?: string;
}

export const POLICY_NAMESPACE = "https://kvm-governor.dev/xmlns/policy/1";

/** Where libvirt finds what belongs to the guest, as paths inside its namespace. */
export interface GuestFiles {
  uuid: string;
  image: string;
  serial: string;
}

/** Text that may stand in XML as content or in a quoted attribute. */
export function escapeXml(text: string): string {
  return text.replace(/[&<>"'\n\r\t]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** The domain XML of a guest: 16 MiB, KVM, started from the image as its ROM, COM1 as a Unix socket. */
export function guestXml(spec: GuestSpec, files: GuestFiles): string {
  const vcpus = spec.load?.vcpus ?? 1;
  return `<domain type='kvm'>
  <name>${escapeXml(spec.name)}</name>
  <uuid>${files.uuid}</uuid>
  ${metadata(spec.policy)}
  <memory unit='MiB'>16</memory>
  <vcpu current='${vcpus}'>${spec.vcpusMax ?? vcpus}</vcpu>
  ${spec.iothreads === undefined ? "" : `<iothreads>${spec.iothreads}</iothreads>`}
  ${cputune(spec.cputune)}
  <os>
    <type arch='x86_64' machine='pc'>hvm</type>
    <loader readonly='yes' type='rom'>${escapeXml(files.image)}</loader>
  </os>
  <features><apic/></features>
  <cpu mode='custom' match='exact' check='none'>
    <model fallback='allow'>kvm64</model>
    <feature policy='force' name='x2apic'/>
  </cpu>
  <on_poweroff>destroy</on_poweroff>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <controller type='usb' model='none'/>
    <serial type='unix'><source mode='bind' path='${escapeXml(files.serial)}'/><target port='0'/></serial>
    <memballoon model='none'/>
  </devices>
  ${spec.extraXml ?? ""}
</domain>
`;
}

function metadata(policy: GuestSpec["policy"]): string {
  if (policy === undefined) return "";
  const attributes = Object.entries(policy).map(([name, value]) => ` ${name}="${escapeXml(String(value))}"`);
  return `<metadata><kvmgov:policy xmlns:kvmgov="${POLICY_NAMESPACE}"${attributes.join("")}/></metadata>`;
}

function cputune(tune: CpuTune = {}): string {
  const amounts: [string, number | undefined][] = [
    ["shares", tune.shares],
    ["period", tune.periodUs],
    ["quota", tune.quotaUs],
    ["global_period", tune.globalPeriodUs],
    ["global_quota", tune.globalQuotaUs],
    ["emulator_period", tune.emulatorPeriodUs],
    ["emulator_quota", tune.emulatorQuotaUs],
  ];
  const elements = amounts.flatMap(([name, value]) =>
    value === undefined ? [] : [`<${name}>${value}</${name}>`],
  );
  for (const pin of tune.vcpupin ?? []) {
    elements.push(`<vcpupin vcpu='${pin.vcpu}' cpuset='${escapeXml(pin.cpuset)}'/>`);
  }
  if (tune.emulatorpin !== undefined) elements.push(`<emulatorpin cpuset='${escapeXml(tune.emulatorpin)}'/>`);
  return elements.length === 0 ? "" : `<cputune>${elements.join("")}</cputune>`;
}
