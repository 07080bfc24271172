/** The guardian as a process of its own: it restores real guests for an actuator that stays away, and leaves one alone that lives. */
import { afterAll, afterEach, beforeAll, expect, jest, test } from "@jest/globals";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { startLibvirt, type Guest, type Libvirt } from "@kvm-governor/lab";
import { bootTimeUs, hasGuard, readHeartbeat } from "@kvm-governor/linux";
import { ActuatorBench, heldPlan, kernelState } from "../support/actuator-bench.ts";
import { changesSince, machineState, NO_CHANGES, type MachineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";
import { ServiceProcess, waitFor } from "../support/service-process.ts";

const START_MS = 120_000;
const TTL_MS = 1500;
jest.setTimeout(60_000);

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "the guardian", () => {
  let before: MachineState;
  let libvirt: Libvirt;
  let guest: Guest;
  let untouched: Record<string, string>;
  let guardian: ServiceProcess | undefined;

  const isUntouched = (): boolean => JSON.stringify(kernelState(guest)) === JSON.stringify(untouched);

  async function startGuardian({ stateDir, runDir }: ActuatorBench): Promise<ServiceProcess> {
    guardian = await ServiceProcess.start("guardian", {
      KVMGOV_STATE_DIR: stateDir,
      KVMGOV_RUN_DIR: runDir,
      KVMGOV_LIBVIRT_RUN_DIR: path.join(libvirt.runDir, "qemu"),
    });
    return guardian;
  }

  beforeAll(async () => {
    before = machineState();
    libvirt = await startLibvirt();
    guest = await libvirt.defineAndStart({ name: "solver", load: { vcpus: 2 }, cputune: { shares: 512 } });
    untouched = kernelState(guest);
  }, START_MS);

  afterEach(async () => {
    await guardian?.kill();
    expect(isUntouched()).toBe(true);
  });

  afterAll(async () => {
    await libvirt?.stop();
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  }, START_MS);

  test.each(["SIGKILL", "SIGSTOP"] as const)(
    "after %s nothing goes back without it, and everything with it",
    async (signal) => {
      await using bench = await ActuatorBench.start();
      const actuator = await bench.actuator(libvirt);
      await bench.follow(bench.plan([heldPlan(guest)], TTL_MS));
      actuator.signal(signal);
      // Off arm: past the plan's time and the guardian's patience, nobody is there.
      await sleep(TTL_MS + 2000);
      expect(isUntouched()).toBe(false);
      const one = await startGuardian(bench);
      await one.event("restored");
      expect(isUntouched()).toBe(true);
      expect(one.events("actuator-killed").map(({ pid }) => pid)).toEqual(
        signal === "SIGSTOP" ? [actuator.pid] : [],
      );
      // The next actuator finds nothing to do, and works.
      const next = await bench.actuator(libvirt);
      const report = await bench.follow(bench.plan([heldPlan(guest)], 60_000));
      expect(report.writes.length).toBeGreaterThan(0);
      expect(await next.stop()).toBe(0);
      expect(await one.stop()).toBe(0);
      expect(one.events("restored")).toHaveLength(1);
    },
  );

  test("leaves a living actuator and its guests alone, over several plans' time", async () => {
    await using bench = await ActuatorBench.start();
    const one = await startGuardian(bench);
    const actuator = await bench.actuator(libvirt);
    for (let tick = 0; tick < 4; tick++) {
      await bench.follow(bench.plan([heldPlan(guest)], TTL_MS));
      await sleep(TTL_MS - 500);
      expect(isUntouched()).toBe(false);
    }
    expect(await actuator.stop()).toBe(0);
    await sleep(2000);
    expect(one.events("actuator-abandoned")).toEqual([]);
  });

  test("an actuator that is upgraded leaves guests held under it; they go back when no other comes", async () => {
    await using bench = await ActuatorBench.start();
    const { runDir } = bench;
    const one = await startGuardian(bench);
    await waitFor("the guard's mark", 5000, () => hasGuard(runDir, bootTimeUs()) || undefined);
    const actuator = await bench.actuator(libvirt, { KVMGOV_ON_STOP: "keep" });
    await bench.follow(bench.plan([heldPlan(guest)], 4000));
    expect(await actuator.stop()).toBe(0);
    const left = readHeartbeat(runDir);
    expect(left).toMatchObject({ isLeft: true, holding: true });
    expect(isUntouched()).toBe(false);
    await one.event("restored");
    const silentUs = 1000 * Number(one.events("actuator-abandoned")[0]?.["silentMs"]);
    const heldUs = (left?.expiresAtUs ?? NaN) - (left?.bootTimeUs ?? NaN);
    expect(silentUs + 1000).toBeGreaterThanOrEqual(heldUs);
    expect(isUntouched()).toBe(true);
    expect(await one.stop()).toBe(0);
    // Nobody stands guard any more: nothing may be left held under it.
    expect(hasGuard(runDir, bootTimeUs())).toBe(false);
  });

  test("told to end after an actuator that left its guests to it, it takes them back first", async () => {
    await using bench = await ActuatorBench.start();
    const { runDir } = bench;
    const one = await startGuardian(bench);
    await waitFor("the guard's mark", 5000, () => hasGuard(runDir, bootTimeUs()) || undefined);
    const actuator = await bench.actuator(libvirt, { KVMGOV_ON_STOP: "keep" });
    await bench.follow(bench.plan([heldPlan(guest)], 60_000));
    expect(await actuator.stop()).toBe(0);
    // Off arm: left as they are.
    expect(isUntouched()).toBe(false);
    expect(await one.stop()).toBe(0);
    expect(isUntouched()).toBe(true);
    expect(readHeartbeat(runDir)).toBeUndefined();
  });
});
