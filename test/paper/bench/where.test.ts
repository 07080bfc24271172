/** The parts of a gap, on figures that can be checked by hand. */
import { expect, test } from "@jest/globals";
import type { ArmRun, KernelFigures } from "./record.ts";
import { gapsOf } from "./where.ts";

function kernel(wallSeconds: number, together: KernelFigures["together"], switches = 100): KernelFigures {
  return {
    kernel: "CG",
    repeats: 1,
    seconds: wallSeconds,
    wallSeconds,
    switches,
    migrations: switches / 10,
    runSeconds: 0,
    delaySeconds: 0,
    servicesCores: 0,
    otherCores: 0,
    ...(together === undefined ? {} : { together }),
  };
}
const run = (arm: ArmRun["arm"], ...kernels: KernelFigures[]): ArmRun => ({
  round: 0,
  arm,
  kernels,
  services: [],
  restored: true,
});

test("two vCPUs: what the gap to the guest alone consists of, and that it sums up", () => {
  const alone = kernel(10, { ran: 19, ranWithout: 0, waited: 0, slept: 1 });
  const shared = kernel(20, { ran: 21, ranWithout: 8, waited: 9, slept: 2 }, 900);
  const [gap, ...others] = gapsOf([run("alone", alone), run("default", shared)]);
  expect(others).toEqual([]);
  expect(gap).toEqual({
    kernel: "CG",
    arm: "default",
    seconds: 10,
    taken: 4.5,
    inVain: 4,
    asleep: 0.5,
    slower: 1,
    switches: 800,
    migrations: 80,
  });
});

test("nothing is said of what was not traced, or has nothing to be held against", () => {
  const traced = kernel(20, { ran: 30, ranWithout: 0, waited: 10, slept: 0 });
  expect(gapsOf([run("default", traced)])).toEqual([]);
  expect(gapsOf([run("alone", kernel(10, undefined)), run("default", traced)])).toEqual([]);
});
