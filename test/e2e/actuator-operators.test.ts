/** What people do to guests and to the actuator while it holds them: virsh, kvmgov, limits, an upgrade. */
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import path from "node:path";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { bootTimeUs, readHeartbeat, takeOver, writeGuardMark } from "@kvm-governor/linux";
import type { GuestPlan } from "@kvm-governor/policy";
import { ActuatorBench, heldPlan, kernelState } from "../support/actuator-bench.ts";
import { runKvmgov } from "../support/kvmgov-process.ts";
import { changesSince, machineState, NO_CHANGES, type MachineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

const START_MS = 120_000;
jest.setTimeout(60_000);

describeWith(
  ["root", "kvm", "cgroup-v1", "lab", "servers"],
  "people at work on a host that is managed",
  () => {
    let before: MachineState;
    let libvirt: Libvirt;
    let web: Guest;
    let solver: Guest;

    const file = (guest: Guest, end: string): string =>
      Object.keys(kernelState(guest)).find((name) => name.endsWith(end)) ?? "";
    const value = (guest: Guest, end: string): string => (kernelState(guest)[file(guest, end)] ?? "").trim();
    /** With a weight: while a group is idle the kernel takes no other. */
    const weighted = (guest: Guest): GuestPlan => ({ ...heldPlan(guest), weight: 4 });
    const states = () => [kernelState(web), kernelState(solver)];

    beforeAll(async () => {
      before = machineState();
      libvirt = await startLibvirt();
      web = await libvirt.defineAndStart({ name: "web", load: { percent: 20 } });
      solver = await libvirt.defineAndStart({ name: "solver", load: { vcpus: 2 }, cputune: { shares: 512 } });
    }, START_MS);

    afterAll(async () => {
      await libvirt?.stop();
      expect(await changesSince(before)).toEqual(NO_CHANGES);
    }, START_MS);

    test("virsh schedinfo: told as drift, written over again, and what the guest goes back to from now on", async () => {
      await using bench = await ActuatorBench.start();
      const actuator = await bench.actuator(libvirt);
      const plan = bench.plan([weighted(web)], 60_000);
      await bench.follow(plan);
      await libvirt.virsh([
        "schedinfo",
        "web",
        "--live",
        "vcpu_period=50000",
        "vcpu_quota=40000",
        "cpu_shares=2048",
      ]);
      await actuator.event("baseline-changed", 5000, 3);
      const report = await bench.follow({ ...plan, sequence: bootTimeUs() });
      expect(report.drift.map(({ setting }) => setting)).toContain("bandwidth");
      expect(value(web, "vcpu0/cpu.cfs_quota_us")).toBe("6000");
      expect(await actuator.metric(`kvmgov_actuator_baseline_changes_total{setting="bandwidth"}`)).toBe(2);
      // Also after a crash: the journal knows.
      await actuator.kill();
      await takeOver({ stateDir: bench.stateDir, runDir: bench.runDir });
      expect(value(web, "vcpu0/cpu.cfs_quota_us")).toBe("40000");
      expect(value(web, "vcpu0/cpu.cfs_period_us")).toBe("50000");
      expect(value(web, "libvirt-qemu/cpu.shares")).toBe("2048");
      await libvirt.virsh([
        "schedinfo",
        "web",
        "--live",
        "vcpu_period=100000",
        "vcpu_quota=-1",
        "cpu_shares=1024",
      ]);
    });

    test("virsh schedinfo in the middle is respected where that is configured", async () => {
      await using bench = await ActuatorBench.start();
      const actuator = await bench.actuator(libvirt, { KVMGOV_ON_DRIFT: "respect" });
      const plan = bench.plan([weighted(web)], 60_000);
      await bench.follow(plan);
      await libvirt.virsh(["schedinfo", "web", "--live", "vcpu_quota=40000"]);
      await actuator.event("baseline-changed");
      await bench.follow({ ...plan, sequence: bootTimeUs() });
      expect(value(web, "vcpu0/cpu.cfs_quota_us")).toBe("40000");
      expect(await actuator.stop()).toBe(0);
      expect(value(web, "vcpu0/cpu.cfs_quota_us")).toBe("40000");
      await libvirt.virsh(["schedinfo", "web", "--live", "vcpu_quota=-1"]);
    });

    test("virsh vcpupin: the plan's CPUs again, and the pin at the end", async () => {
      await using bench = await ActuatorBench.start();
      const actuator = await bench.actuator(libvirt);
      const plan = bench.plan([weighted(solver)], 60_000);
      await bench.follow(plan);
      await libvirt.virsh(["vcpupin", "solver", "1", "1"]);
      await actuator.event("baseline-changed");
      await bench.follow({ ...plan, sequence: bootTimeUs() });
      expect(value(solver, "vcpu1/cpuset.cpus")).toBe("0");
      expect(await actuator.stop()).toBe(0);
      expect(value(solver, "vcpu1/cpuset.cpus")).toBe("1");
      expect(kernelState(solver)[`affinity ${solver.vcpuTids[1]}`]).toBe("1");
      expect(value(solver, "vcpu0/cpuset.cpus")).toBe("0-1");
      await libvirt.virsh(["vcpupin", "solver", "1", "0-1"]);
    });

    test("virsh setvcpus and reset: a vCPU that comes is taken in, one process is the same guest", async () => {
      await libvirt.defineAndStart({ name: "grows" });
      await libvirt.destroy("grows");
      const xml = (await libvirt.virsh(["dumpxml", "grows"])).stdout;
      const definition = path.join(libvirt.runDir, "grows.xml");
      writeFileSync(definition, xml.replace(/<vcpu[^>]*>1<\/vcpu>/, "<vcpu current='1'>2</vcpu>"));
      await libvirt.virsh(["define", definition]);
      const small = await libvirt.start("grows");
      await using bench = await ActuatorBench.start();
      const actuator = await bench.actuator(libvirt);
      await bench.follow(bench.plan([weighted(small)], 60_000));
      await libvirt.virsh(["setvcpus", "grows", "2", "--live"]);
      const status = (await libvirt.virsh(["qemu-monitor-command", "grows", "--hmp", "info cpus"])).stdout;
      const tids = [...status.matchAll(/thread_id=(\d+)/g)].map((match) => Number(match[1]));
      expect(tids).toHaveLength(2);
      const large: Guest = { ...small, vcpuTids: tids };
      const fresh = kernelState(large);
      const report = await bench.follow(bench.plan([weighted(large)], 60_000));
      expect(report.skipped).toEqual([]);
      expect(report.writes.filter(({ error }) => error !== undefined)).toEqual([]);
      expect(value(large, "vcpu1/cpu.cfs_quota_us")).toBe("6000");
      await libvirt.virsh(["reset", "grows"]);
      const renewed = await bench.follow(bench.plan([weighted(large)], 60_000));
      expect(renewed.skipped).toEqual([]);
      expect(renewed.writes).toEqual([]);
      expect(await actuator.stop()).toBe(0);
      expect(value(large, "vcpu1/cpu.cfs_quota_us")).toBe(
        fresh[file(large, "vcpu1/cpu.cfs_quota_us")]?.trim(),
      );
      expect(value(large, "vcpu0/cpu.cfs_quota_us")).toBe("-1");
      await libvirt.destroy("grows");
    });

    test("kvmgov restore while the actuator runs: it gives back, leaves alone until kvmgov resume, and the audit tells", async () => {
      await using bench = await ActuatorBench.start();
      const { stateDir, runDir } = bench;
      const places = { stateDir, runDir, libvirt };
      const untouched = states();
      const actuator = await bench.actuator(libvirt);
      const plan = bench.plan([heldPlan(web), heldPlan(solver)], 60_000);
      await bench.follow(plan);
      const one = await runKvmgov(["restore", "--guest", "web"], places);
      expect(one).toMatchObject({
        code: 0,
        output: expect.stringContaining("web: restored by the actuator"),
      });
      expect(kernelState(web)).toEqual(untouched[0]);
      const renewed = await bench.follow({ ...plan, sequence: bootTimeUs() });
      expect(renewed.skipped).toMatchObject([{ name: "web", reason: expect.stringContaining("operator") }]);
      expect(kernelState(web)).toEqual(untouched[0]);
      expect(value(solver, "libvirt-qemu/cpu.idle")).toBe("1");
      expect((await runKvmgov(["restore"], places)).code).toBe(0);
      await bench.report("operator", ({ switchFired }) => switchFired === "operator");
      expect(states()).toEqual(untouched);
      await bench.follow({ ...plan, sequence: bootTimeUs() });
      expect(states()).toEqual(untouched);
      expect((await runKvmgov(["resume"], places)).output).toContain("plans are applied again");
      await waitFor("the switch", 2000, async () => {
        const report = await bench.follow({ ...plan, sequence: bootTimeUs() });
        return report.skipped.length === 0 ? true : undefined;
      });
      expect(value(web, "libvirt-qemu/cpu.idle")).toBe("1");
      expect(await actuator.stop()).toBe(0);
      expect(states()).toEqual(untouched);
      const audit = await runKvmgov(["audit", "--guest", "web", "--since", "10m", "--json"], places);
      const records = audit.output
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as Record<string, unknown>);
      const quota = records.filter((record) => String(record["file"]).endsWith("vcpu0/cpu.cfs_quota_us"));
      expect(quota[0]).toMatchObject({
        event: "write",
        old: "-1",
        readBack: quota[0]?.["new"],
        generation: 1,
        name: "web",
      });
      expect(records.map((record) => record["reason"])).toContain("an operator took it back");
      expect(quota.at(-1)).toMatchObject({ event: "restore", new: "-1", reason: "the actuator stops" });
      const lines = await runKvmgov(["audit"], places);
      expect(lines.output).toMatch(/restore web vcpu 0 bandwidth: \d+ -> -1 /);
    });

    test("local limits bind whatever a plan says, and are named", async () => {
      await using bench = await ActuatorBench.start();
      const untouched = states();
      const config = path.join(bench.dir, "actuator.yaml");
      writeFileSync(
        config,
        `limits:
  hostCpus: 0
  stepUpCores: { scientific: 0.2 }
  guests:
    - { guest: web, ceilingCores: 0.2 }
`,
      );
      const actuator = await bench.actuator(libvirt, { KVMGOV_CONFIG: config });
      const plan = bench.plan([heldPlan(web), heldPlan(solver)], 60_000);
      const report = await bench.follow(plan);
      expect(value(web, "vcpu0/cpuset.cpus")).toBe("1");
      expect(value(web, "vcpu0/cpu.cfs_quota_us")).toBe("4000");
      expect(new Set(report.limits?.map(({ limit }) => limit))).toEqual(new Set(["host-cpus", "ceiling"]));
      expect(
        await actuator.metric(`kvmgov_actuator_plan_problems_total{kind="ceiling",setting="bandwidth"}`),
      ).toBe(1);
      const more = heldPlan(solver);
      more.vcpus = more.vcpus.map((vcpu) => ({ ...vcpu, bandwidth: 0.6 }));
      const raised = bench.plan([heldPlan(web), more], 60_000);
      const quotas: string[] = [];
      for (let tick = 0; tick < 4; tick++) {
        await bench.follow({ ...raised, sequence: bootTimeUs() });
        quotas.push(value(solver, "vcpu0/cpu.cfs_quota_us"));
      }
      expect(quotas).toEqual(["10000", "12000", "12000", "12000"]);
      writeFileSync(config, "limits: { rollOutPercent: 0 }\n");
      actuator.signal("SIGHUP");
      await actuator.event("reloaded");
      const none = await bench.follow({ ...raised, sequence: bootTimeUs() });
      expect(none.skipped.map(({ reason }) => reason)).toEqual(
        Array(2).fill(expect.stringContaining("rollOutPercent")),
      );
      expect(states()).toEqual(untouched);
      expect(await actuator.stop()).toBe(0);
    });

    test("roll-out by percentage takes the same guest each time, and more as it grows", async () => {
      await using bench = await ActuatorBench.start();
      const untouched = states();
      // Where a guest lies between 0 and 100: the first 32 bits of the SHA-256 of its UUID.
      const placeOf = ({ uuid }: Guest): number =>
        (100 * createHash("sha256").update(uuid).digest().readUInt32BE(0)) / 2 ** 32;
      const [first, second] = placeOf(web) < placeOf(solver) ? [web, solver] : [solver, web];
      const config = path.join(bench.dir, "actuator.yaml");
      const percent = (placeOf(first) + placeOf(second)) / 2;
      writeFileSync(config, `limits: { rollOutPercent: ${percent} }\n`);
      const env = { KVMGOV_CONFIG: config };
      const all = (): GuestPlan[] => [weighted(web), weighted(solver)];
      const fresh = kernelState(second);
      for (let run = 0; run < 2; run++) {
        const actuator = await bench.actuator(libvirt, env);
        const part = await bench.follow(bench.plan(all(), 60_000));
        expect(part.skipped.map(({ guest }) => guest)).toEqual([second.uuid]);
        expect(value(first, "vcpu0/cpu.cfs_quota_us")).toBe("6000");
        expect(kernelState(second)).toEqual(fresh);
        if (run === 1) {
          writeFileSync(config, "limits: { rollOutPercent: 100 }\n");
          actuator.signal("SIGHUP");
          await actuator.event("reloaded");
          expect((await bench.follow(bench.plan(all(), 60_000))).skipped).toEqual([]);
          expect(value(second, "vcpu0/cpu.cfs_quota_us")).toBe("6000");
        }
        expect(await actuator.stop()).toBe(0);
        expect(states()).toEqual(untouched);
      }
    });

    test("a guest that cools down stays as it is, unless somebody would have to wait for it", async () => {
      await using bench = await ActuatorBench.start();
      const untouched = states();
      const config = path.join(bench.dir, "actuator.yaml");
      writeFileSync(config, "limits: { coolDownMs: 3600000 }\n");
      const actuator = await bench.actuator(libvirt, { KVMGOV_CONFIG: config });
      const withBandwidth = (bandwidth: number): GuestPlan => {
        const plan = weighted(solver);
        return { ...plan, vcpus: plan.vcpus.map((vcpu) => ({ ...vcpu, bandwidth })) };
      };
      const quotaAfter = async (bandwidth: number): Promise<[string, string[]]> => {
        const report = await bench.follow(bench.plan([withBandwidth(bandwidth)], 60_000));
        return [value(solver, "vcpu0/cpu.cfs_quota_us"), report.limits?.map(({ limit }) => limit) ?? []];
      };
      expect(await quotaAfter(0.3)).toEqual(["6000", []]);
      expect(await quotaAfter(0.6)).toEqual(["6000", ["cool-down"]]);
      // A scientific guest that is to lose: services wait for it.
      expect(await quotaAfter(0.2)).toEqual(["4000", []]);
      writeFileSync(config, "limits: { coolDownMs: 0 }\n");
      actuator.signal("SIGHUP");
      await actuator.event("reloaded");
      expect(await quotaAfter(0.6)).toEqual(["12000", []]);
      expect(await actuator.stop()).toBe(0);
      expect(states()).toEqual(untouched);
    });

    test("onStop: keep leaves guests held for the next actuator, but only under a guard", async () => {
      await using bench = await ActuatorBench.start();
      const { runDir } = bench;
      const untouched = states();
      const env = { KVMGOV_ON_STOP: "keep" };
      const plan = bench.plan([heldPlan(web)], 60_000);
      const first = await bench.actuator(libvirt, env);
      await bench.follow(plan);
      const held = states();
      expect(await first.stop()).toBe(0);
      expect(first.events("not-kept")).toHaveLength(1);
      expect(states()).toEqual(untouched);
      const second = await bench.actuator(libvirt, env);
      await bench.follow({ ...plan, sequence: bootTimeUs() });
      writeGuardMark(runDir, bootTimeUs());
      expect(await second.stop()).toBe(0);
      expect(states()).toEqual(held);
      expect(readHeartbeat(runDir)).toMatchObject({
        isLeft: true,
        holding: true,
        expiresAtUs: expect.any(Number),
      });
      const third = await bench.actuator(libvirt);
      await third.event("adopted");
      const report = await bench.follow({ ...plan, sequence: bootTimeUs() });
      expect(report.writes).toEqual([]);
      expect(states()).toEqual(held);
      expect(await third.stop()).toBe(0);
      expect(states()).toEqual(untouched);
    });
  },
);
