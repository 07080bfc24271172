/** Plans for the guests of a case, and what the kernel and the reports say of them. */
import type { Applied, GuestPlan } from "@kvm-governor/policy";
import type { CaseGuest, CaseHost, KernelState } from "./case-host.ts";
import { countOf } from "./kernel-states.ts";

/** A plan that leaves a guest as it was found. */
export function asFound({ vcpuTids, ...guest }: CaseGuest): GuestPlan {
  return {
    ...guest,
    class: "scientific",
    count: 0,
    since: 0,
    vcpus: vcpuTids.map((_, index) => ({ index, bandwidth: "baseline", cpus: "baseline" })),
    weight: "baseline",
    emulatorCpus: "baseline",
    ioThreadCpus: "baseline",
    reasons: [{ code: "case", text: "the case wants it" }],
  };
}

/** A plan that holds everything that can be held. */
export function heldPlan(guest: CaseGuest): GuestPlan {
  return {
    ...asFound(guest),
    vcpus: guest.vcpuTids.map((_, index) => ({ index, bandwidth: 0.3, cpus: [0] })),
    weight: "idle",
    emulatorCpus: [1],
    ioThreadCpus: [1],
    periodUs: 20_000,
  };
}

/** How often each value of {@link heldPlan} is found in the files of the four guests. */
export const HELD = { quota: 5, period: 5, idle: 4, vcpuCpus: 5, otherCpus: 5 };

/** vCPUs with the quota of {@link heldPlan}. */
export function heldVcpus({ cgroupVersion }: CaseHost, state: KernelState): number {
  return cgroupVersion === 2
    ? countOf(state, /vcpu\d+\/cpu\.max$/, /^6000 20000\n$/)
    : countOf(state, /vcpu\d+\/cpu\.cfs_quota_us$/, /^6000\n$/);
}

/** How often each value of {@link heldPlan} is found in the files of these guests. */
export function heldValues(host: CaseHost, state: KernelState): typeof HELD {
  const count = (file: RegExp, text: RegExp): number => countOf(state, file, text);
  const quota = heldVcpus(host, state);
  const cpus = {
    vcpuCpus: count(/vcpu\d+\/cpuset\.cpus$/, /^0\n$/),
    otherCpus: count(/(emulator|iothread\d+)\/cpuset\.cpus$/, /^1\n$/),
  };
  const idle = count(/cpu\.idle$/, /^1\n$/);
  if (host.cgroupVersion === 2) return { quota, period: quota, idle, ...cpus };
  return { quota, period: count(/vcpu\d+\/cpu\.cfs_period_us$/, /^20000\n$/), idle, ...cpus };
}

/** Writes that failed. */
export const errorsOf = (report: Applied): unknown[] =>
  report.writes.filter(({ error }) => error !== undefined);

/** `NAME OUTCOME` of each guest in the report of `kvmgov restore --json`. */
export function outcomes(json: string): string[] {
  const { guests } = JSON.parse(json) as { guests: { name: string; outcome: string }[] };
  return guests.map(({ name, outcome }) => `${name} ${outcome}`);
}
