/** Samples for tests and benchmarks: hosts with guests whose use is given, one period after the other. */
import { createHash } from "node:crypto";
import type { GuestSample, Host, Sample } from "@kvm-governor/policy";

export const BOOT = "0b5a7a0e-0001-4000-8000-000000000001";
export const OTHER_BOOT = "0b5a7a0e-0002-4000-8000-000000000002";

/** UUID of the n-th guest. */
export function uuidOf(n: number): string {
  return `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
}

/** UUID of the n-th guest of this host alone: one UUID on two hosts is a guest that migrated. */
export function uuidOn(host: string, n: number): string {
  const own = createHash("sha256").update(host).digest("hex").slice(0, 8);
  return own + uuidOf(n).slice(8);
}

export interface GuestUse {
  /** Part of a CPU that each vCPU ran. */
  run: number;
  delay?: number;
  vcpus?: number;
  name?: string;
  declared?: GuestSample["declared"];
}

/** The n-th guest of a host. */
export function guestSample(n: number, { run, delay = 0, vcpus = 1, name, declared }: GuestUse): GuestSample {
  return {
    uuid: uuidOf(n),
    name: name ?? `guest-${n}`,
    pid: 1000 + n,
    startTime: 5000 + n,
    state: "running",
    declared: declared ?? { class: "auto" },
    vcpus: Array.from({ length: vcpus }, (_, index) => ({ index, run, delay, switches: 10 })),
    otherRun: 0.01,
  };
}

/** Sample number `tick` of a host that is sampled once a second. */
export function sampleOf(
  host: string,
  tick: number,
  guests: readonly GuestSample[],
  rest: Partial<Sample> = {},
): Sample {
  return {
    schema: 1,
    host,
    bootId: BOOT,
    sequence: 60_000_000 + tick * 1_000_000,
    wallTimeMs: 1_800_000_000_000 + tick * 1000,
    periodMs: 1000,
    cpus: Array.from({ length: 16 }, (_, cpu) => cpu),
    hostRun: 0.1,
    guests: [...guests],
    unreadable: [],
    ...rest,
  };
}

/** Announcement of a host with one CPU for each of these NUMA nodes. */
export function hostOf(host: string, nodes: readonly number[]): Host {
  return {
    schema: 1,
    host,
    name: host,
    bootId: BOOT,
    wallTimeMs: 1,
    kernel: "6.12",
    cgroupVersion: 2,
    topology: nodes.map((node, cpu) => ({
      cpu,
      package: node,
      node,
      llc: nodes.indexOf(node),
      core: cpu,
      isolated: false,
    })),
    capabilities: [],
    metrics: {},
  };
}
