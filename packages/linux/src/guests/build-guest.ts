/** Puts together what is known of one guest: its process, and libvirt's status file where there is one. */
import { join } from "node:path";
import { parseCpuList } from "@kvm-governor/policy";
import { readIfThere } from "../proc/read.ts";
import { isRealtimePolicy, parseProcStat, statusField } from "../proc/stat.ts";
import { deriveUuid } from "./derived-uuid.ts";
import { allowedCpusOf, exemptReasonOf } from "./exemption.ts";
import type { FirstSight } from "./first-sight.ts";
import type { Guest, VcpuThread } from "./guest.ts";
import type { LibvirtStatus } from "./libvirt-status.ts";
import type { QemuProcess } from "./qemu-process.ts";
import { sortThreads } from "./threads.ts";

export interface BuildContext {
  procRoot: string;
  bootId: string;
  firstSight: FirstSight;
  /** CPUs that a thread without any pin may run on: what is narrower is a pin. */
  usableCpus: readonly number[];
}

/** Name of a guest: its own, else Proxmox's VM id, else that of the process. */
export function nameOf(process: QemuProcess): string {
  const { name, vmId } = process.commandLine;
  return (name ?? vmId ?? `qemu-${process.pid}`).slice(0, 1024);
}

/**
 * UUID of a bare guest: its own, else one derived from the boot and Proxmox's VM id or the name; a guest with none of
 * these gets one for this run only.
 */
export function uuidOf(process: QemuProcess, bootId: string): string {
  const { uuid, vmId, name } = process.commandLine;
  if (uuid !== undefined) return uuid;
  if (vmId !== undefined) return deriveUuid(bootId, `id ${vmId}`);
  if (name !== undefined) return deriveUuid(bootId, `name ${name}`);
  return deriveUuid(bootId, `process ${process.pid} ${process.startTime}`);
}

/**
 * @param status of the same guest; undefined: a bare QEMU process
 * @throws {UnknownThreadsError} its vCPU threads cannot be told
 */
export function buildGuest(
  process: QemuProcess,
  status: LibvirtStatus | undefined,
  context: BuildContext,
): Guest {
  const threads = sortThreads(process.threads, status?.vcpus);
  const pins = threads.vcpus.map((vcpu) =>
    status === undefined ? affinityPin(process, vcpu, context) : status.configured.vcpuPins.get(vcpu.index),
  );
  const realtime =
    status?.realtime === true || threads.vcpus.some((vcpu) => isRealtime(process, vcpu, context));
  const exemptReason = exemptReasonOf({ realtime, cpuPm: process.commandLine.cpuPm, pins });
  const allowedCpus = allowedCpusOf(pins);
  return {
    uuid: status?.uuid ?? uuidOf(process, context.bootId),
    name: status?.name ?? nameOf(process),
    source: status === undefined ? "qemu" : "libvirt",
    pid: process.pid,
    startTime: process.startTime,
    state: process.isStopped ? "paused" : (status?.state ?? "running"),
    ...threads,
    vcpus: threads.vcpus.map((vcpu, at) => withPin(vcpu, pins[at])),
    ...(status?.declared !== undefined && { metadata: status.declared }),
    ...(exemptReason !== undefined && { exemptReason }),
    ...(allowedCpus !== undefined && { allowedCpus }),
    ...(status !== undefined && { configured: status.configured }),
  };
}

function withPin(vcpu: VcpuThread, pin: readonly number[] | undefined): VcpuThread {
  return pin === undefined ? vcpu : { ...vcpu, allowedCpus: pin };
}

function isRealtime(process: QemuProcess, { tid }: VcpuThread, { procRoot }: BuildContext): boolean {
  const policy = process.policyOf(tid);
  if (policy !== undefined) return isRealtimePolicy(policy);
  const text = readIfThere(join(procRoot, String(process.pid), "task", String(tid), "stat"));
  return text !== undefined && isRealtimePolicy(parseProcStat(text).policy);
}

function affinityPin(
  process: QemuProcess,
  { index, tid }: VcpuThread,
  { procRoot, firstSight, usableCpus }: BuildContext,
): number[] | undefined {
  const { pid, startTime } = process;
  const list = firstSight.affinityOf({ pid, startTime, index }, () => {
    const text = readIfThere(join(procRoot, String(pid), "task", String(tid), "status"));
    return text === undefined ? undefined : statusField(text, "Cpus_allowed_list");
  });
  if (list === undefined) return undefined;
  const cpus = parseCpuList(list);
  const allowed = new Set(cpus);
  return usableCpus.every((cpu) => allowed.has(cpu)) ? undefined : cpus;
}
