/** From counters to the guests of a sample: deltas since the last tick as averages in cores. */
import type { Declared, GuestSample, VcpuSample } from "@kvm-governor/policy";
import type { Guest } from "../guests/guest.ts";
import type { MemoryShare } from "../memory/memory-nodes.ts";
import type { GuestCounters } from "./guest-counters.ts";
import type { VcpuCounters } from "./vcpu-counters.ts";

/** The contract's upper bound of a part of a period: two clocks differ by a little, more is an error of ours. */
const PART_MAX = 2;

/**
 * One guest of a sample. Does not mark: call `counters.mark()` when the sample is complete.
 * @param memoryNodes where the guest's memory lies; absent: not known
 * A guest that was never marked is `incomplete`, with rates of 0 that say nothing.
 */
export function guestSampleOf(
  counters: GuestCounters,
  declared: Declared,
  memoryNodes?: readonly MemoryShare[],
): GuestSample {
  const { guest, incomplete, markedAtNs, readAtNs } = counters;
  // Without a mark before, an endless period: every rate is 0.
  const elapsedNs = markedAtNs === undefined ? Infinity : Math.max(1, readAtNs - markedAtNs);
  const sample: GuestSample = {
    uuid: guest.uuid,
    name: guest.name,
    pid: guest.pid,
    startTime: guest.startTime,
    state: guest.state,
    declared,
    vcpus: counters.vcpus.map((vcpu, at) => withPins(vcpuSampleOf(vcpu, elapsedNs), guest, at)),
    otherRun: sixDigits(otherRunNs(counters) / elapsedNs),
  };
  if (guest.exemptReason !== undefined) sample.exemptReason = guest.exemptReason;
  if (incomplete) sample.incomplete = true;
  if (guest.allowedCpus !== undefined) sample.allowedCpus = [...guest.allowedCpus];
  if (memoryNodes !== undefined) sample.memoryNodes = [...memoryNodes];
  return sample;
}

/** Pins of a vCPU are only said where they are not the guest's: mostly all are the same. */
function withPins(sample: VcpuSample, guest: Guest, at: number): VcpuSample {
  const pins = guest.vcpus[at]?.allowedCpus;
  if (pins === undefined || isSameSet(pins, guest.allowedCpus)) return sample;
  return { ...sample, allowedCpus: [...pins] };
}

/** Both ascending. */
function isSameSet(a: readonly number[], b: readonly number[] | undefined): boolean {
  return a.length === b?.length && a.every((cpu, i) => cpu === b[i]);
}

/** Run of all threads of a guest in the period, in cores. */
export function guestRunOf(sample: GuestSample): number {
  return sample.vcpus.reduce((sum, vcpu) => sum + vcpu.run, sample.otherRun);
}

/** Switches of a thread that was seen for the first time are unknown, not 0: they are left out. */
function vcpuSampleOf(vcpu: VcpuCounters, elapsedNs: number): VcpuSample {
  const sample: VcpuSample = {
    index: vcpu.index,
    run: part(vcpu.runNs.since, elapsedNs),
    delay: part(vcpu.waitedNs, elapsedNs),
  };
  if (!vcpu.incomplete && Number.isFinite(elapsedNs)) {
    sample.switches = vcpu.switches.since;
    if (vcpu.involuntaryPart !== undefined)
      sample.involuntaryPart = Math.round(vcpu.involuntaryPart * 1000) / 1000;
    if (vcpu.hasMigrations) sample.migrations = vcpu.migrations.since;
  }
  if (vcpu.hasThrottling) sample.throttled = part(vcpu.throttledNs.since, elapsedNs);
  return sample;
}

function otherRunNs({ emulator, ioThreads }: GuestCounters): number {
  let sum = emulator.runNs.since;
  for (const ioThread of ioThreads.values()) sum += ioThread.runNs.since;
  return sum;
}

function part(ns: number, elapsedNs: number): number {
  return Math.min(PART_MAX, sixDigits(ns / elapsedNs));
}

/** A millionth of a core is below what can be measured; longer numbers only make messages larger. */
function sixDigits(value: number): number {
  return Math.round(value * 1e6) / 1e6;
}
