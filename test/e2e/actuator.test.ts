/** The actuator as a process of its own on real KVM guests: what it writes, and that it always gives everything back. */
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startBareQemu, startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import {
  bootTimeUs,
  GuestWatcher,
  HostLockedError,
  journalFile,
  readHeartbeat,
  restore,
  setAffinity,
  takeOver,
} from "@kvm-governor/linux";
import { ActuatorBench, baselinePlan, heldPlan, kernelState } from "../support/actuator-bench.ts";
import { NO_CHANGES, changesSince, type MachineState, machineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";
import { waitFor } from "../support/service-process.ts";

const START_MS = 120_000;
jest.setTimeout(60_000);

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "actuator on real guests", () => {
  let before: MachineState;
  let libvirt: Libvirt;
  let guests: Record<"plain" | "tuned" | "pinned" | "solver", Guest>;
  let untouched: Record<string, Record<string, string>>;

  const states = (): Record<string, Record<string, string>> =>
    Object.fromEntries(Object.entries(guests).map(([name, guest]) => [name, kernelState(guest)]));
  const allHeld = () => Object.values(guests).map(heldPlan);
  const file = (guest: Guest, text: string): string =>
    Object.keys(kernelState(guest)).find((name) => name.endsWith(text)) ?? "";

  beforeAll(async () => {
    before = machineState();
    libvirt = await startLibvirt();
    guests = {
      plain: await libvirt.defineAndStart({ name: `a:b,c="d"`, load: { percent: 20 } }),
      tuned: await libvirt.defineAndStart({
        name: "tuned",
        cputune: { shares: 512, quotaUs: 80_000, periodUs: 200_000 },
      }),
      pinned: await libvirt.defineAndStart({ name: "pinned", iothreads: 1, policy: { class: "service" } }),
      solver: await libvirt.defineAndStart({ name: "solver", load: { vcpus: 2 } }),
    };
    await libvirt.virsh(["vcpupin", "pinned", "0", "1"]);
    // One vCPU with an affinity of its own, which libvirt does not know about.
    setAffinity(guests.solver.vcpuTids[1] ?? 0, [1]);
    untouched = states();
    expect(untouched["solver"]?.[`affinity ${guests.solver.vcpuTids[1]}`]).toBe("1");
  }, START_MS);

  afterAll(async () => {
    await libvirt?.stop();
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  }, START_MS);

  test("a plan is applied and read back, a renewal writes nothing, SIGTERM gives every byte back", async () => {
    await using bench = await ActuatorBench.start();
    const actuator = await bench.actuator(libvirt);
    const plan = bench.plan(allHeld(), 20_000);
    const report = await bench.follow(plan);
    expect(report.writes.filter(({ error }) => error !== undefined)).toEqual([]);
    expect(report.skipped).toEqual([]);
    const held = states();
    for (const guest of Object.values(guests)) {
      const state = kernelState(guest);
      expect(state[file(guest, "vcpu0/cpu.cfs_quota_us")]).toBe("6000\n");
      expect(state[file(guest, "vcpu0/cpu.cfs_period_us")]).toBe("20000\n");
      expect(state[file(guest, "vcpu0/cpuset.cpus")]).toBe("0\n");
      expect(state[file(guest, "emulator/cpuset.cpus")]).toBe("1\n");
      expect(state[file(guest, "libvirt-qemu/cpu.idle")]).toBe("1\n");
      for (const tid of guest.vcpuTids) expect(state[`affinity ${tid}`]).toBe("0");
    }
    const renewed = await bench.follow({ ...plan, sequence: bootTimeUs() });
    expect(renewed.writes).toEqual([]);
    expect(renewed.verified).toBe(report.verified);
    expect(states()).toEqual(held);
    expect(readHeartbeat(bench.runDir)).toMatchObject({ pid: actuator.pid, holding: true });
    expect(await actuator.stop()).toBe(0);
    expect(states()).toEqual(untouched);
    await bench.report("stop", ({ switchFired }) => switchFired === "stopped");
    expect(existsSync(journalFile(bench.stateDir))).toBe(false);
    // Where its pages were stays: an actuator that is away is to be missed.
    expect(readdirSync(bench.runDir)).toEqual(["actuator.page"]);
  });

  test("a killed actuator is made good by restore, without any server, as often as one likes", async () => {
    await using bench = await ActuatorBench.start();
    const { stateDir, runDir } = bench;
    const actuator = await bench.actuator(libvirt);
    await bench.follow(bench.plan(allHeld(), 60_000));
    await expect(restore({ stateDir })).rejects.toThrow(HostLockedError);
    await expect(restore({ stateDir })).rejects.toThrow(`process ${actuator.pid}`);
    await actuator.kill();
    bench.nats.server.pause();
    expect(states()).not.toEqual(untouched);
    const one = await restore({ stateDir, runDir, guest: "tuned" });
    expect(one.guests.map(({ guest, outcome }) => [guest.name, outcome])).toEqual([["tuned", "restored"]]);
    expect(kernelState(guests.tuned)).toEqual(untouched["tuned"]);
    const rest = await restore({ stateDir, runDir });
    expect(rest.guests.map(({ outcome }) => outcome)).toEqual(["restored", "restored", "restored"]);
    expect(rest.guests.flatMap(({ writes }) => writes).filter(({ error }) => error !== undefined)).toEqual(
      [],
    );
    expect(states()).toEqual(untouched);
    expect((await restore({ stateDir, runDir })).guests).toEqual([]);
    expect(existsSync(journalFile(stateDir))).toBe(false);
    bench.nats.server.resume();
  });

  test("a killed actuator is made good by the next one, before it follows a plan", async () => {
    await using bench = await ActuatorBench.start();
    const first = await bench.actuator(libvirt);
    await bench.follow(bench.plan(allHeld(), 60_000));
    await first.kill();
    await bench.put(bench.plan([], 1));
    const second = await bench.actuator(libvirt);
    expect(second.events("restored")).toHaveLength(4);
    expect(states()).toEqual(untouched);
    expect(await second.stop()).toBe(0);
  });

  test("only one actuator writes on a host", async () => {
    await using bench = await ActuatorBench.start();
    const first = await bench.actuator(libvirt);
    await expect(bench.actuator(libvirt)).rejects.toThrow(`held by process ${first.pid}`);
  });

  test("a frozen actuator is replaced by its guard", async () => {
    await using bench = await ActuatorBench.start();
    const { stateDir, runDir } = bench;
    const actuator = await bench.actuator(libvirt);
    await bench.follow(bench.plan(allHeld(), 600));
    actuator.signal("SIGSTOP");
    const expiry = readHeartbeat(runDir)?.expiresAtUs ?? 0;
    expect(expiry).toBeGreaterThan(0);
    await sleep(900);
    expect(states()).not.toEqual(untouched);
    expect(bootTimeUs()).toBeGreaterThan(expiry);
    const report = await takeOver({ stateDir, runDir });
    expect(report.killed).toBe(actuator.pid);
    expect(states()).toEqual(untouched);
  });

  test("an actuator that wakes from a freeze writes nothing stale and gives everything back", async () => {
    await using bench = await ActuatorBench.start();
    const actuator = await bench.actuator(libvirt);
    await bench.follow(bench.plan([heldPlan(guests.solver)], 600));
    actuator.signal("SIGSTOP");
    // Comes in while it sleeps, and is void by the time it wakes.
    await bench.put(bench.plan(allHeld(), 300));
    await sleep(900);
    actuator.signal("SIGCONT");
    await actuator.event("restored");
    await actuator.event("plan-refused");
    expect(states()).toEqual(untouched);
    expect(actuator.events("quota-changed").map(({ guest }) => guest)).toEqual(["solver"]);
  });

  test("without a new plan everything goes back when the plan's time is over, also without NATS", async () => {
    await using bench = await ActuatorBench.start();
    const actuator = await bench.actuator(libvirt);
    const plan = bench.plan(allHeld(), 1500);
    await bench.follow(plan);
    bench.nats.server.pause();
    expect(states()).not.toEqual(untouched);
    const line = await actuator.event("dead-mans-switch");
    expect(line["guests"]).toBe(4);
    expect(bootTimeUs()).toBeGreaterThanOrEqual(plan.expiresAtUs);
    await waitFor("baseline", 500, () =>
      JSON.stringify(states()) === JSON.stringify(untouched) ? true : undefined,
    );
    expect(await actuator.metric(`kvmgov_actuator_switch_fired_total{reason="expired"}`)).toBe(1);
    bench.nats.server.resume();
    await bench.follow(bench.plan(allHeld(), 20_000));
    expect(states()).not.toEqual(untouched);
    expect(await actuator.stop()).toBe(0);
    expect(states()).toEqual(untouched);
  });

  test("NATS may be away at the start and hang at the end", async () => {
    await using bench = await ActuatorBench.start();
    const plan = bench.plan(allHeld(), 60_000);
    await bench.put(plan);
    await bench.nats.server.kill();
    const actuator = await bench.actuator(libvirt);
    const { status, parts } = await actuator.ready();
    expect([status, parts["nats"]?.ok]).toEqual([503, false]);
    await bench.nats.server.restart();
    await actuator.event("plan-followed");
    await waitFor("ready", 5000, async () => ((await actuator.ready()).status === 200 ? true : undefined));
    await actuator.event("quota-changed", 5000, 4);
    expect(states()).not.toEqual(untouched);
    bench.nats.server.pause();
    expect(await actuator.stop()).toBe(0);
    expect(states()).toEqual(untouched);
    bench.nats.server.resume();
  });

  test("guests that leave the plan, or are to be as they were, go back; the others stay", async () => {
    await using bench = await ActuatorBench.start();
    const actuator = await bench.actuator(libvirt);
    await bench.follow(bench.plan(allHeld(), 60_000));
    await bench.follow(bench.plan([heldPlan(guests.plain), baselinePlan(guests.tuned)], 60_000));
    const { plain, ...others } = states();
    const { plain: plainBefore, ...othersBefore } = untouched;
    expect(others).toEqual(othersBefore);
    expect(plain).not.toEqual(plainBefore);
    expect(await actuator.metric("kvmgov_actuator_guests_held")).toBe(1);
    expect(await actuator.stop()).toBe(0);
    expect(states()).toEqual(untouched);
  });

  test("a guest that restarted is not touched by the plan for the one before", async () => {
    await using bench = await ActuatorBench.start();
    const doomed = await libvirt.defineAndStart({ name: "doomed" });
    const actuator = await bench.actuator(libvirt);
    await bench.follow(bench.plan([heldPlan(doomed), heldPlan(guests.plain)], 60_000));
    await libvirt.destroy("doomed");
    const again = await libvirt.start("doomed");
    const fresh = kernelState(again);
    const report = await bench.follow(bench.plan([heldPlan(doomed), heldPlan(guests.plain)], 60_000));
    expect(report.skipped).toMatchObject([{ name: "doomed", reason: expect.stringContaining("runs as") }]);
    expect(kernelState(again)).toEqual(fresh);
    expect(kernelState(guests.plain)).not.toEqual(untouched["plain"]);
    await actuator.kill();
    await restore({ stateDir: bench.stateDir, runDir: bench.runDir });
    expect(kernelState(again)).toEqual(fresh);
    expect(states()).toEqual(untouched);
    await libvirt.destroy("doomed");
  });

  test("plans that cannot be followed are refused and counted, the last good one stays", async () => {
    await using bench = await ActuatorBench.start();
    const actuator = await bench.actuator(libvirt);
    const good = bench.plan(allHeld(), 60_000);
    await bench.follow(good);
    const held = states();
    const newer = (overrides: Record<string, unknown>): unknown => ({
      ...bench.plan([], 60_000),
      ...overrides,
    });
    await bench.put("not a plan");
    await bench.put(newer({ guests: [{ ...heldPlan(guests.plain), weight: -1 }] }));
    await bench.put(newer({ host: "other" }));
    await bench.put(newer({ bootId: "00000000-0000-0000-0000-000000000000" }));
    await bench.put(newer({ expiresAtUs: 1 }));
    await bench.put(newer({ generation: good.generation, sequence: good.sequence - 1 }));
    await bench.put(good);
    await actuator.event("plan-refused", 5000, 5);
    const count = (reason: string) =>
      actuator.metric(`kvmgov_actuator_plans_refused_total{reason="${reason}"}`);
    await waitFor("refusals", 5000, async () => ((await count("older-sequence")) === 1 ? true : undefined));
    expect(await count("malformed")).toBe(2);
    expect(await count("wrong-host")).toBe(1);
    expect(await count("wrong-boot")).toBe(1);
    expect(await count("expired")).toBe(1);
    expect(states()).toEqual(held);
    const below = heldPlan(guests.plain);
    below.vcpus = [{ index: 0, bandwidth: 0.000001, cpus: "baseline" }];
    await bench.follow(bench.plan([below], 60_000));
    expect(kernelState(guests.plain)[file(guests.plain, "vcpu0/cpu.cfs_quota_us")]).toBe("1000\n");
    const floor = `kvmgov_actuator_plan_problems_total{kind="floor",setting="bandwidth"}`;
    expect(await actuator.metric(floor)).toBe(1);
    expect(await actuator.stop()).toBe(0);
    expect(states()).toEqual(untouched);
  });

  test("another's write is reported as drift and written over", async () => {
    await using bench = await ActuatorBench.start();
    const actuator = await bench.actuator(libvirt);
    const plan = bench.plan([heldPlan(guests.plain)], 60_000);
    await bench.follow(plan);
    writeFileSync(file(guests.plain, "vcpu0/cpu.cfs_quota_us"), "12345");
    const report = await bench.follow({ ...plan, sequence: bootTimeUs() });
    expect(report.drift).toMatchObject([{ setting: "bandwidth", applied: "6000", found: "12345" }]);
    expect(kernelState(guests.plain)[file(guests.plain, "vcpu0/cpu.cfs_quota_us")]).toBe("6000\n");
    expect(await actuator.metric(`kvmgov_actuator_drift_total{setting="bandwidth"}`)).toBe(1);
    expect(await actuator.stop()).toBe(0);
    expect(states()).toEqual(untouched);
  });

  test("a group that a stranger joined is left alone, also in the middle", async () => {
    await using bench = await ActuatorBench.start();
    const actuator = await bench.actuator(libvirt);
    const plan = heldPlan(guests.plain);
    await bench.follow(bench.plan([plan], 60_000));
    const quota = file(guests.plain, "vcpu0/cpu.cfs_quota_us");
    const stranger = spawn("sleep", ["60"]);
    try {
      writeFileSync(quota.replace("cpu.cfs_quota_us", "tasks"), String(stranger.pid));
      plan.vcpus = [{ index: 0, bandwidth: 0.5, cpus: [1] }];
      const report = await bench.follow(bench.plan([{ ...plan, weight: 4 }], 60_000));
      expect(report.writes.map(({ target, setting }) => `${target} ${setting}`)).toEqual(["vcpu 0 cpus"]);
      expect(readFileSync(quota, "utf8")).toBe("6000\n");
    } finally {
      stranger.kill("SIGKILL");
      await once(stranger, "exit");
    }
    expect(await actuator.stop()).toBe(0);
    expect(states()).toEqual(untouched);
  });

  test("exempt guests and those on the never-touch list are left alone", async () => {
    await using bench = await ActuatorBench.start();
    const policyFile = path.join(bench.dir, "policy.yaml");
    writeFileSync(policyFile, "rules:\n  - match: { name: tuned }\n    class: exempt\n");
    await bench.actuator(libvirt, {
      KVMGOV_POLICY_FILE: policyFile,
      KVMGOV_NEVER_TOUCH: `["sol*", "${guests.plain.uuid}"]`,
    });
    const report = await bench.follow(bench.plan(allHeld(), 60_000));
    expect(report.skipped.map(({ name }) => name).toSorted()).toEqual([guests.plain.name, "solver", "tuned"]);
    const { pinned, ...others } = states();
    const { pinned: pinnedBefore, ...othersBefore } = untouched;
    expect(others).toEqual(othersBefore);
    expect(pinned).not.toEqual(pinnedBefore);
  });

  test("SIGHUP reads lists and limits again: a guest that is now exempt goes back, a bad file changes nothing", async () => {
    await using bench = await ActuatorBench.start();
    const config = path.join(bench.dir, "actuator.yaml");
    writeFileSync(config, "neverTouch: []\n");
    const actuator = await bench.actuator(libvirt, { KVMGOV_CONFIG: config });
    const plan = bench.plan(allHeld(), 60_000);
    await bench.follow(plan);
    writeFileSync(config, "neverTouch: 7\n");
    actuator.signal("SIGHUP");
    await actuator.event("reload-failed");
    expect(await actuator.metric("kvmgov_config_last_reload_successful")).toBe(0);
    expect((await bench.follow({ ...plan, sequence: bootTimeUs() })).skipped).toEqual([]);
    writeFileSync(config, "neverTouch: [tuned]\nlogLevel: debug\n");
    actuator.signal("SIGHUP");
    await actuator.event("reloaded");
    expect(await actuator.metric("kvmgov_config_last_reload_successful")).toBe(1);
    expect(await actuator.json("/-/log-level")).toMatchObject({ body: { level: "debug" } });
    const report = await bench.follow({ ...plan, sequence: bootTimeUs() });
    expect(report.skipped.map(({ name }) => name)).toEqual(["tuned"]);
    expect(kernelState(guests.tuned)).toEqual(untouched["tuned"]);
    expect(kernelState(guests.plain)).not.toEqual(untouched["plain"]);
    expect(await actuator.stop()).toBe(0);
    expect(states()).toEqual(untouched);
  });

  test("a dry run says what it would write and touches nothing", async () => {
    await using bench = await ActuatorBench.start();
    const actuator = await bench.actuator(libvirt, { KVMGOV_DRY_RUN: "true" });
    const report = await bench.follow(bench.plan(allHeld(), 60_000));
    expect(report.dryRun).toBe(true);
    expect(report.writes.length).toBeGreaterThan(15);
    expect(states()).toEqual(untouched);
    await actuator.event("would-write", 5000, report.writes.length);
    const lines = actuator
      .events("would-write")
      .map(({ file: name, new: text }) => `${String(name)} ${String(text)}`);
    expect(lines).toContainEqual(expect.stringMatching(/vcpu0\/cpu\.cfs_quota_us 6000$/));
    expect(existsSync(journalFile(bench.stateDir))).toBe(false);
    expect(await actuator.stop()).toBe(0);
  });

  test("a lost journal is noticed, and libvirt's configuration is what guests go back to", async () => {
    await using bench = await ActuatorBench.start();
    const { stateDir, runDir } = bench;
    // What the solver has by hand, and libvirt does not know about, nobody held: it stays.
    const { solver: _solver, ...held } = guests;
    const first = await bench.actuator(libvirt);
    await bench.follow(bench.plan(Object.values(held).map(heldPlan), 60_000));
    await first.kill();
    rmSync(journalFile(stateDir));
    const watcher = new GuestWatcher({ libvirtRunDir: path.join(libvirt.runDir, "qemu") });
    watcher.refresh();
    const report = await restore({ stateDir, runDir, guests: () => watcher.inventory.guests });
    watcher.close();
    expect(report.lost).toBe(true);
    expect(report.guests.map(({ guest }) => guest.name).toSorted()).toEqual(
      Object.values(held)
        .map(({ name }) => name)
        .toSorted(),
    );
    expect(states()).toEqual(untouched);
    expect((await restore({ stateDir, runDir })).lost).toBe(false);
  });

  test("a bare QEMU in a shared group is held by affinity alone, and given back", async () => {
    await using bench = await ActuatorBench.start();
    const qemu = await startBareQemu({
      name: "bare",
      uuid: "8ad7a1c4-3f0f-4a55-9a86-5d2f6a3f9f01",
      load: { vcpus: 2 },
    });
    try {
      const bare: Guest = { ...qemu, name: "bare", uuid: "8ad7a1c4-3f0f-4a55-9a86-5d2f6a3f9f01" };
      setAffinity(qemu.vcpuTids[1] ?? 0, [1]);
      const affinities = (): string[] =>
        Object.entries(kernelState(bare)).flatMap(([key, text]) =>
          key.startsWith("affinity") ? `${key} ${text}` : [],
        );
      const first = affinities();
      const actuator = await bench.actuator(libvirt);
      const report = await bench.follow(bench.plan([heldPlan(bare)], 60_000));
      expect(new Set(report.writes.map(({ setting }) => setting))).toEqual(new Set(["affinity"]));
      for (const tid of qemu.vcpuTids) expect(affinities()).toContain(`affinity ${tid} 0`);
      await actuator.event("not-applied");
      expect(await actuator.stop()).toBe(0);
      expect(affinities()).toEqual(first);
    } finally {
      await qemu.stop();
    }
  });
});
