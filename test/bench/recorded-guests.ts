/**
 * A recorded snapshot: the counters of real threads as they were at one moment, repeated under other UUIDs until there are as
 * many vCPUs as are wanted. A page is written from them as from live ones; nothing is read from the kernel.
 */
import type { Guest } from "@kvm-governor/linux";
import type { GuestFigures, VcpuFigures } from "../../services/collector/src/metrics/guest-rows.ts";
import { uuidAt, VCPUS_A_GUEST } from "./farm-guests.ts";

const COUNTERS = [
  "runNs",
  "delayNs",
  "switches",
  "migrations",
  "voluntary",
  "involuntary",
  "periods",
  "throttledPeriods",
  "throttledNs",
] as const;
type Counter = (typeof COUNTERS)[number];

export interface Snapshot {
  vcpus: Record<Counter, number>[];
  emulatorNs: number[];
}

/**
 * What three weeks add to the counters of threads that began just now: pages of hosts that have run for long have longer numbers. The
 * figures of a quota are added so that every family has a series of every vCPU.
 */
const LONG_RUN: Record<Counter, number> = {
  runNs: 1_814_400_123_456_789,
  delayNs: 181_440_012_345_678,
  switches: 181_440_000,
  migrations: 1_814_400,
  voluntary: 180_440_000,
  involuntary: 1_000_000,
  periods: 18_144_000,
  throttledPeriods: 1_814_400,
  throttledNs: 90_720_012_345_678,
};

export function record(guests: readonly GuestFigures[]): Snapshot {
  const vcpus = guests.flatMap(({ allVcpus }) => [...allVcpus]);
  return {
    vcpus: vcpus.map(
      (vcpu) =>
        Object.fromEntries(COUNTERS.map((name) => [name, vcpu[name].value])) as Record<Counter, number>,
    ),
    emulatorNs: guests.map(({ emulator }) => emulator.runNs.value),
  };
}

export function replay({ vcpus, emulatorNs }: Snapshot, count: number): GuestFigures[] {
  return Array.from({ length: count / VCPUS_A_GUEST }, (_, at) => {
    const own = Array.from({ length: VCPUS_A_GUEST }, (_each, index) =>
      figuresOf(index, vcpus[(at * VCPUS_A_GUEST + index) % vcpus.length] as Record<Counter, number>),
    );
    return {
      guest: guestAt(at),
      vcpus: own,
      allVcpus: own,
      emulator: { runNs: { value: LONG_RUN.runNs + (emulatorNs[at % emulatorNs.length] ?? 0) } },
      ioThreads: new Map(),
      switchSource: "perf",
    };
  });
}

function figuresOf(index: number, recorded: Record<Counter, number>): VcpuFigures {
  const amounts = COUNTERS.map((name) => [name, { value: LONG_RUN[name] + recorded[name] }] as const);
  const figures = Object.fromEntries(amounts) as Record<Counter, { value: number }>;
  return { index, ...figures, hasMigrations: true, hasThrottling: true };
}

const guestAt = (at: number): Guest => ({
  uuid: uuidAt(at),
  name: `recorded-${at}`,
  source: "libvirt",
  pid: 1,
  startTime: 1,
  state: "running",
  vcpus: [],
  ioThreads: [],
  emulatorTids: [],
});
