/** Plans reach the kernel and stay there, whatever others do to the guests meanwhile. */
import { expect } from "@jest/globals";
import { setTimeout as sleep } from "node:timers/promises";
import type { Applied, GuestPlan } from "@kvm-governor/policy";
import type { CaseGuest, CaseHost } from "./case-host.ts";
import { asFound, errorsOf, HELD, heldPlan, heldValues, heldVcpus } from "./guest-plans.ts";
import { changes } from "./kernel-states.ts";
import type { It, Stage } from "./stage.ts";

/** @param noSystemd why systemd does not run the host */
export function applyingCases(it: It, noSystemd: string | undefined): void {
  it("a plan is applied and read back, a renewal writes nothing, the end gives every byte back", async (stage) => {
    await using governed = stage.governed();
    const actuator = await governed.service("actuator");
    const plan = await governed.plan(stage.heldAll());
    const report = await governed.follow(plan);
    expect(errorsOf(report)).toEqual([]);
    expect(report.skipped).toEqual([]);
    expect(report.verified).toBeGreaterThan(20);
    const held = await stage.state();
    expect(heldValues(stage.host, held)).toEqual(HELD);
    const renewed = await governed.follow(await governed.renewed(plan));
    expect([renewed.writes, renewed.drift]).toEqual([[], []]);
    expect(changes(held, await stage.state())).toEqual([]);
    expect(await actuator.stop()).toBe(0);
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
    expect(await stage.host.hasState(governed.id, "journal")).toBe(false);
  });

  it("a weight is applied, then idle, then the guest is as it was", async (stage) => {
    await using governed = stage.governed();
    await governed.service("actuator");
    const follow = async (weight: GuestPlan["weight"]): Promise<Applied> =>
      governed.follow(
        await governed.plan([stage.guests.plain, stage.guests.tuned].map((g) => ({ ...asFound(g), weight }))),
      );
    expect(errorsOf(await follow(3))).toEqual([]);
    expect(errorsOf(await follow("idle"))).toEqual([]);
    expect(errorsOf(await follow(0.25))).toEqual([]);
    const quarter = stage.host.cgroupVersion === 1 ? "256\n" : "25\n";
    const weights = Object.entries(await stage.state()).filter(([, text]) => text === quarter);
    expect(weights).toHaveLength(2);
    expect(errorsOf(await follow("baseline"))).toEqual([]);
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
  });

  it("a quota is what the kernel lets a busy vCPU have", async (stage) => {
    await using governed = stage.governed();
    await governed.service("actuator");
    const busy = await stage.host.defineAndStart({ name: "busy", spin: true });
    try {
      await stage.host.virsh(["suspend", "busy"]);
      expect(await shareOf(stage.host, busy, 2000)).toBeGreaterThan(0.16);
      const plan = { ...asFound(busy), vcpus: [{ index: 0, bandwidth: 0.08, cpus: "baseline" as const }] };
      expect(errorsOf(await governed.follow(await governed.plan([plan])))).toEqual([]);
      const share = await shareOf(stage.host, busy, 3000);
      expect(share).toBeGreaterThan(0.02);
      expect(share).toBeLessThan(0.1);
    } finally {
      await stage.host.destroy("busy");
    }
  });

  it("what libvirt is told meanwhile is drift, is written over, and is what the guest goes back to", async (stage) => {
    await using governed = stage.governed();
    const changed = await stage.host.defineAndStart({ name: "changed", vcpus: 2 });
    try {
      const before = await stage.host.kernelState([changed]);
      const actuator = await governed.service("actuator");
      const plan = await governed.plan([heldPlan(changed)]);
      await governed.follow(plan);
      const held = await stage.host.kernelState([changed]);
      await stage.host.virsh(["schedinfo", "--live", "changed", "vcpu_quota=77000"]);
      await stage.host.virsh(["vcpupin", "--live", "changed", "0", "1"]);
      const report = await governed.follow(await governed.renewed(plan));
      const found = report.drift.map(({ target, setting }) => `${target} ${setting}`);
      expect(found).toEqual(expect.arrayContaining(["vcpu 0 bandwidth", "vcpu 1 bandwidth", "vcpu 0 cpus"]));
      expect(errorsOf(report)).toEqual([]);
      expect(changes(held, await stage.host.kernelState([changed]))).toEqual([]);
      await actuator.event("baseline-changed", 5000 * stage.host.patience);
      expect(await actuator.stop()).toBe(0);
      const left = changes(before, await stage.host.kernelState([changed])).map((text) =>
        text.replace(/.*\//, ""),
      );
      expect(left.filter((text) => !text.startsWith("affinity") && !text.includes("effective"))).toEqual(
        expect.arrayContaining(TOLD[stage.host.cgroupVersion]),
      );
      expect(
        left.filter((text) => !/^(cpu\.|cpuset\.cpus|affinity \d+: "0-1\\?n?" -> "1)/.test(text)),
      ).toEqual([]);
    } finally {
      await stage.host.destroy("changed");
    }
  });

  it("a vCPU that comes is taken in, and a reset guest is the same guest", async (stage) => {
    await using governed = stage.governed();
    const small = await stage.host.defineAndStart({ name: "grows", vcpusMax: 2 });
    try {
      const actuator = await governed.service("actuator");
      await governed.follow(await governed.plan([heldPlan(small)]));
      await stage.host.virsh(["setvcpus", "--live", "grows", "2"]);
      const large = await stage.host.find("grows");
      expect(large.vcpuTids).toHaveLength(2);
      const fresh = await stage.host.kernelState([large]);
      const report = await governed.follow(await governed.plan([heldPlan(large)]));
      expect([errorsOf(report), report.skipped]).toEqual([[], []]);
      expect(heldVcpus(stage.host, await stage.host.kernelState([large]))).toBe(2);
      await stage.host.virsh(["reset", "grows"]);
      const again = await governed.follow(await governed.plan([heldPlan(large)]));
      expect([again.writes, again.skipped]).toEqual([[], []]);
      expect(await actuator.stop()).toBe(0);
      const left = changes(fresh, await stage.host.kernelState([large]));
      expect(left.filter((text) => /vcpu1\//.test(text))).toEqual([]);
      expect(heldVcpus(stage.host, await stage.host.kernelState([large]))).toBe(0);
    } finally {
      await stage.host.destroy("grows");
    }
  });

  const reloads = async (stage: Stage): Promise<void> => {
    await using governed = stage.governed();
    const actuator = await governed.service("actuator");
    const plan = await governed.plan(stage.heldAll());
    expect(errorsOf(await governed.follow(plan))).toEqual([]);
    const held = await stage.state();
    await stage.host.daemonReload?.();
    expect(changes(held, await stage.state())).toEqual([]);
    const renewed = await governed.follow(await governed.renewed(plan));
    expect([renewed.writes, renewed.drift]).toEqual([[], []]);
    expect(await actuator.stop()).toBe(0);
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
    await stage.host.daemonReload?.();
    expect(changes(stage.untouched, await stage.state())).toEqual([]);
  };
  it("systemctl daemon-reload in the middle changes nothing", reloads, noSystemd);
}

/** What is left of a guest's settings after `vcpu_quota=77000` and `vcpupin 0 1`. */
const TOLD = {
  1: [
    ...['cpu.cfs_quota_us: "-1\\n" -> "77000\\n"', 'cpu.cfs_quota_us: "-1\\n" -> "77000\\n"'],
    'cpuset.cpus: "0-1\\n" -> "1\\n"',
  ],
  2: ['cpu.max: "max 100000\\n" -> "77000 100000\\n"', 'cpuset.cpus: "\\n" -> "1\\n"'],
};

/** Part of a CPU that a guest's first vCPU has over a while. It spins no longer than it is looked at: an emulated host has little CPU. */
async function shareOf(host: CaseHost, guest: CaseGuest, ms: number): Promise<number> {
  const tid = guest.vcpuTids[0] ?? 0;
  const look = async (): Promise<[number, number]> => [
    await host.cpuTimeNs(tid),
    (await host.clock()).bootTimeUs,
  ];
  await host.virsh(["resume", guest.name]);
  const [ran, at] = await look();
  await sleep(ms);
  const [ranLater, later] = await look();
  await host.virsh(["suspend", guest.name]);
  return (ranLater - ran) / ((later - at) * 1000);
}
