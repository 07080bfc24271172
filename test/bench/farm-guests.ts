/** Guests made of a farm's threads: as many vCPUs each as usual guests have. */
import type { Guest } from "@kvm-governor/linux";
import { startMeasuring, type Measuring } from "../../services/collector/src/measuring.ts";
import type { ThreadFarm } from "../support/thread-farm.ts";

export const VCPUS_A_GUEST = 4;
/** Threads of a guest beside its vCPUs: QEMU's main loop and one more. */
const OTHERS_A_GUEST = 2;

/** Measures guests of this machine as the collector does; there is no libvirt. @param nowMs monotonic clock, milliseconds */
export const measureHere = (nowMs: () => number): Measuring =>
  startMeasuring({
    host: "bench",
    procRoot: "/proc",
    sysRoot: "/sys",
    libvirtRunDir: "/nonexistent",
    firstSightFile: "/nonexistent/first-sight.json",
    perf: true,
    nowMs,
  });

/** Threads that a farm needs for guests with so many vCPUs together. */
export const threadsFor = (vcpus: number): number =>
  (vcpus * (VCPUS_A_GUEST + OTHERS_A_GUEST)) / VCPUS_A_GUEST;

export const uuidAt = (at: number): string => `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`;

/** @param largest vCPUs of the whole farm: its first threads; the others follow */
export function guestsOf(farm: Pick<ThreadFarm, "pid" | "tids">, vcpus: number, largest: number): Guest[] {
  return Array.from({ length: vcpus / VCPUS_A_GUEST }, (_, at) => {
    const others = largest + at * OTHERS_A_GUEST;
    const tids = farm.tids.slice(at * VCPUS_A_GUEST, (at + 1) * VCPUS_A_GUEST);
    return {
      uuid: uuidAt(at),
      name: `bench-${at}`,
      source: "qemu",
      pid: farm.pid,
      startTime: 1,
      state: "running",
      vcpus: tids.map((tid, index) => ({ index, tid })),
      ioThreads: [],
      emulatorTids: farm.tids.slice(others, others + OTHERS_A_GUEST),
    };
  });
}
