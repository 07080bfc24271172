/** A guest as the kernel sees it: one VMM process and the threads that matter. */
import type { Declared, ExemptReason } from "@kvm-governor/policy";

export interface VcpuThread {
  index: number;
  tid: number;
  /** CPUs that the configuration pins this one vCPU to, ascending; absent: as the guest. */
  allowedCpus?: readonly number[];
}

export interface IoThread {
  id: number;
  tid: number;
}

/**
 * What libvirt's definition of the guest asks for: what to go back to when no baseline was kept. A pin is the
 * thread's own (`vcpupin`, `emulatorpin`, `iothreadpin`), else the guest's (`<vcpu cpuset>`); absent: none.
 */
export interface ConfiguredTuning {
  shares?: number;
  /** Microseconds; a negative quota is none. */
  vcpuPeriodUs?: number;
  vcpuQuotaUs?: number;
  /** vCPU index to the CPUs that it is pinned to. */
  vcpuPins: ReadonlyMap<number, readonly number[]>;
  emulatorPin?: readonly number[];
  ioThreadPins: ReadonlyMap<number, readonly number[]>;
}

export interface Guest {
  uuid: string;
  /** Any text: names may be the tenant's. */
  name: string;
  source: "libvirt" | "qemu";
  pid: number;
  /** Start time of the process in clock ticks after boot (/proc/PID/stat field 22): with pid, an identity. */
  startTime: number;
  state: "running" | "paused" | "migrating" | "unknown";
  vcpus: readonly VcpuThread[];
  ioThreads: readonly IoThread[];
  /** All other threads of the process: main loop, workers, vhost. Changes while the guest runs. */
  emulatorTids: readonly number[];
  /** From the guest's own metadata; rules of the policy file are laid over it by `declaredFor`. */
  metadata?: Declared;
  exemptReason?: ExemptReason;
  /** Union of what the configuration pins its vCPUs to, ascending; absent: at least one of them may run anywhere. */
  allowedCpus?: readonly number[];
  configured?: ConfiguredTuning;
}

/** A VMM process that looks like a guest but could not be understood: reported, never guessed at. */
export interface UnreadableGuest {
  uuid?: string;
  name: string;
  pid?: number;
  reason: string;
}

export interface GuestInventory {
  guests: readonly Guest[];
  unreadable: readonly UnreadableGuest[];
}

/** Whether two records are of the same run of the same guest. */
export function isSameRun(
  a: { uuid: string; pid: number; startTime: number },
  b: { uuid: string; pid: number; startTime: number },
): boolean {
  return a.uuid === b.uuid && a.pid === b.pid && a.startTime === b.startTime;
}
