/**
 * libvirt's status files, `/run/libvirt/qemu/NAME.xml`: one for each guest that runs, root only, replaced as a whole at
 * every change (virDomainObjSave). The truth about a guest's identity and about what its operator configured.
 */
import { CpuListError, parseLibvirtCpuSet } from "@kvm-governor/policy";
import type { ConfiguredTuning, Guest, VcpuThread } from "./guest.ts";
import { declaredInMetadata } from "./metadata.ts";
import type { MetadataResult } from "./metadata.ts";
import { attribute, child, children, parseXml, textOf } from "./xml.ts";
import type { XmlElement } from "./xml.ts";

export interface LibvirtStatus extends MetadataResult {
  uuid: string;
  name: string;
  /** The QEMU process; 0 where none runs. */
  pid: number;
  state: Guest["state"];
  /** Empty while QEMU starts. */
  vcpus: readonly VcpuThread[];
  /** Number of vCPUs by the definition. */
  vcpuCount: number;
  configured: ConfiguredTuning;
  /** `<vcpusched scheduler='fifo'|'rr'>` for at least one vCPU. */
  realtime: boolean;
}

/** A status file that cannot be understood; the cause is kept. */
export class LibvirtStatusError extends Error {
  override readonly name = "LibvirtStatusError";
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
/** As in the sample contract. */
const VCPUS_MAX = 4096;

/**
 * Parses a status file.
 * @throws {LibvirtStatusError} not XML, or a part that identifies the guest is missing or wrong
 */
export function parseLibvirtStatus(text: string): LibvirtStatus {
  try {
    return readStatus(parseXml(text));
  } catch (cause) {
    if (cause instanceof LibvirtStatusError) throw cause;
    if (cause instanceof CpuListError) throw new LibvirtStatusError(cause.message, { cause });
    throw new LibvirtStatusError(`is not XML: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

function readStatus(document: XmlElement): LibvirtStatus {
  const status = child(document, "domstatus");
  const domain = child(status, "domain");
  if (status === undefined || domain === undefined) {
    throw new LibvirtStatusError("has no <domstatus> with a <domain>");
  }
  const uuid = textOf(child(domain, "uuid"))?.trim().toLowerCase();
  const name = textOf(child(domain, "name"));
  if (uuid === undefined || !UUID.test(uuid)) throw new LibvirtStatusError("<uuid> is missing or no UUID");
  if (name === undefined || name === "") throw new LibvirtStatusError("<name> is missing");
  const vcpuCount = natural(textOf(child(domain, "vcpu")) ?? "", "<vcpu>");
  if (vcpuCount < 1 || vcpuCount > VCPUS_MAX)
    throw new LibvirtStatusError(`<vcpu> ${vcpuCount} is out of range`);
  return {
    uuid,
    name,
    pid: natural(attribute(status, "pid") ?? "0", "pid"),
    state: readState(status),
    vcpus: readVcpus(child(status, "vcpus")),
    vcpuCount,
    configured: readTuning(status, domain, vcpuCount),
    realtime: children(child(domain, "cputune"), "vcpusched").some(isRealtimeScheduler),
    ...declaredInMetadata(child(domain, "metadata"), [status, domain]),
  };
}

function readVcpus(vcpus: XmlElement | undefined): VcpuThread[] {
  return children(vcpus, "vcpu").flatMap((vcpu) => {
    const tid = natural(attribute(vcpu, "pid") ?? "0", "<vcpu pid>");
    // 0: all vCPUs share the process's thread (emulation), or the vCPU is offline.
    return tid === 0 ? [] : [{ index: natural(attribute(vcpu, "id") ?? "", "<vcpu id>"), tid }];
  });
}

function isRealtimeScheduler(sched: XmlElement): boolean {
  const scheduler = attribute(sched, "scheduler");
  return scheduler === "fifo" || scheduler === "rr";
}

function readState(status: XmlElement): Guest["state"] {
  const asyncJob = attribute(child(status, "job"), "async") ?? "none";
  if (asyncJob.startsWith("migration")) return "migrating";
  switch (attribute(status, "state")) {
    case "running":
    case "blocked":
      return "running";
    case "paused":
    case "pmsuspended":
    case "shutdown":
    case "crashed":
      return "paused";
    default:
      return "unknown";
  }
}

function readTuning(status: XmlElement, domain: XmlElement, vcpuCount: number): ConfiguredTuning {
  const cputune = child(domain, "cputune");
  const guestPin = guestCpuSet(status, domain);
  const vcpuPins = new Map<number, readonly number[]>();
  if (guestPin !== undefined) for (let index = 0; index < vcpuCount; index++) vcpuPins.set(index, guestPin);
  for (const pin of children(cputune, "vcpupin")) {
    vcpuPins.set(natural(attribute(pin, "vcpu") ?? "", "<vcpupin vcpu>"), cpuSet(pin));
  }
  const ioThreadPins = new Map<number, readonly number[]>();
  if (guestPin !== undefined) for (const id of ioThreadIds(domain)) ioThreadPins.set(id, guestPin);
  for (const pin of children(cputune, "iothreadpin")) {
    ioThreadPins.set(natural(attribute(pin, "iothread") ?? "", "<iothreadpin iothread>"), cpuSet(pin));
  }
  const emulator = child(cputune, "emulatorpin");
  const emulatorPin = emulator === undefined ? guestPin : cpuSet(emulator);
  return {
    ...amount(cputune, "shares", "shares"),
    ...amount(cputune, "period", "vcpuPeriodUs"),
    ...amount(cputune, "quota", "vcpuQuotaUs"),
    vcpuPins,
    ioThreadPins,
    ...(emulatorPin !== undefined && { emulatorPin }),
  };
}

/** CPUs of every thread without a pin of its own: `<vcpu cpuset>`, or numad's advice for `placement='auto'`. */
function guestCpuSet(status: XmlElement, domain: XmlElement): readonly number[] | undefined {
  const vcpu = child(domain, "vcpu");
  const text =
    attribute(vcpu, "placement") === "auto"
      ? attribute(child(status, "numad"), "cpuset")
      : attribute(vcpu, "cpuset");
  return text === undefined ? undefined : parseLibvirtCpuSet(text);
}

function ioThreadIds(domain: XmlElement): number[] {
  const ids = children(child(domain, "iothreadids"), "iothread");
  if (ids.length > 0) return ids.map((each) => natural(attribute(each, "id") ?? "", "<iothread id>"));
  const count = natural(textOf(child(domain, "iothreads")) ?? "0", "<iothreads>");
  return Array.from({ length: Math.min(count, VCPUS_MAX) }, (_, at) => at + 1);
}

function cpuSet(pin: XmlElement): number[] {
  return parseLibvirtCpuSet(attribute(pin, "cpuset") ?? "");
}

function amount<Key extends string>(
  cputune: XmlElement | undefined,
  tag: string,
  key: Key,
): Partial<Record<Key, number>> {
  const text = textOf(child(cputune, tag))?.trim();
  if (text === undefined) return {};
  // libvirt prints "no quota" as -1, or as 2^64/1000 where it was set so: any of them is negative here.
  const value = Number(text);
  if (!Number.isInteger(value)) throw new LibvirtStatusError(`<${tag}> is no whole number`);
  return { [key]: value > 2 ** 50 ? -1 : value } as Partial<Record<Key, number>>;
}

function natural(text: string, what: string): number {
  if (!/^\s*\d{1,10}\s*$/.test(text)) {
    throw new LibvirtStatusError(`${what} is ${JSON.stringify(text.slice(0, 40))}, not a number`);
  }
  return Number(text);
}
