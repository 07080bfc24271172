/** The actuator is killed and frozen at random moments on real guests; afterwards every byte is as it was. See test/long/crash.ts. */
import { afterAll, beforeAll, expect, jest, test } from "@jest/globals";
import { startLibvirt, type Libvirt } from "@kvm-governor/lab";
import { ActuatorBench } from "../support/actuator-bench.ts";
import { summaryOf } from "../support/crash-summary.ts";
import { CrashTrials, type Trial } from "../support/crash-trials.ts";
import { changesSince, machineState, NO_CHANGES, type MachineState } from "../support/machine-state.ts";
import { describeWith } from "../support/requirements.ts";
import { Seeded } from "../support/seeded.ts";

const TRIALS = 30;
const SEED = Number(process.env["KVMGOV_CRASH_SEED"] ?? 20_261_120);
jest.setTimeout(300_000);

describeWith(["root", "kvm", "cgroup-v1", "lab", "servers"], "a crash of the actuator", () => {
  let before: MachineState;
  let libvirt: Libvirt;

  beforeAll(async () => {
    before = machineState();
    libvirt = await startLibvirt();
  });

  afterAll(async () => {
    await libvirt?.stop();
    expect(await changesSince(before)).toEqual(NO_CHANGES);
  });

  test(`${TRIALS} times at random moments: everything reads as before, whoever restores`, async () => {
    await using bench = await ActuatorBench.start();
    const trials: Trial[] = [];
    const crash = new CrashTrials(bench, libvirt, new Seeded(SEED));
    await crash.setUp();
    // Moments are random: where too few of them lay in between, some more are tried.
    const isEnough = (): boolean =>
      trials.length >= TRIALS && summaryOf(trials).inBetween * 3 >= trials.length;
    while (!isEnough() && trials.length < 2 * TRIALS) trials.push(await crash.run());
    expect(trials.filter(({ different }) => different.length > 0)).toEqual([]);
    expect(isEnough()).toBe(true);
  });
});
