/** Ratios and limits on figures that can be checked by hand. */
import { describe, expect, test } from "@jest/globals";
import { aimsOf } from "./aims.ts";
import type { Arm } from "./plan.ts";
import type { ArmRun, KernelFigures, ServiceFigures } from "./record.ts";
import { linesOf } from "./size-page.ts";
import { summarize } from "./summary.ts";

function kernel(seconds: number, switches: number, servicesCores: number): KernelFigures {
  const rest = {
    repeats: 1,
    wallSeconds: seconds,
    migrations: 0,
    runSeconds: seconds,
    delaySeconds: 0,
    otherCores: 0.1,
  };
  return { kernel: "CG", seconds, switches, servicesCores, ...rest };
}

function web(cores: number, throughput: number, p99Ms: number): ServiceFigures {
  return {
    name: "web",
    role: "web",
    slaCores: 0.6,
    cores,
    delayShare: 0,
    throughput,
    p50Ms: 1,
    p99Ms,
    errors: 1,
  };
}

function run(arm: Arm, round: number, kernels: KernelFigures[], services: ServiceFigures[]): ArmRun {
  return { arm, round, kernels, services, restored: true };
}

/** On 2 CPUs: 10 s alone; services that get half a CPU leave 1.5, so that the fluid limit is 13.33 s. */
const runs: ArmRun[] = [
  run("alone", 0, [kernel(10, 100, 0)], []),
  run("alone", 1, [kernel(12, 100, 0)], []),
  run("alone", 2, [kernel(9, 100, 0)], []),
  run("default", 0, [kernel(20, 1100, 0.5)], [web(0.5, 90, 30)]),
  run("static", 0, [kernel(16, 700, 0.4)], [web(0.4, 80, 20)]),
  run("governor", 0, [kernel(14, 350, 0.5)], [web(0.55, 99, 10.2)]),
  run("services", 0, [], [web(0.5, 100, 10)]),
];

describe("summary", () => {
  const summary = summarize(runs, 2);
  const of = (arm: Arm) => summary.kernels.find((each) => each.arm === arm);

  test("a kernel is held against the default, the guest alone and the fluid limit", () => {
    expect(of("alone")?.seconds).toMatchObject({ median: 10, n: 3, min: 9, max: 12 });
    expect(of("governor")).toMatchObject({ timeToDefault: 0.7, timeToAlone: 1.4 });
    expect(of("governor")?.timeToFluid).toBeCloseTo(14 / (10 / 0.75), 10);
    expect(of("governor")?.timeGainReached).toBeCloseTo(0.6, 10);
    expect(of("governor")?.switchesGainReached).toBeCloseTo(0.75, 10);
    expect(of("default")).toMatchObject({ timeToDefault: 1, timeGainReached: 0 });
  });

  test("a service is held against itself undisturbed, and against what it can use of its SLA", () => {
    const served = (arm: Arm) => summary.services.find((each) => each.arm === arm);
    expect(served("static")).toMatchObject({ throughputToAlone: 0.8, p99ToAlone: 2, slaGot: 0.8, errors: 1 });
    expect(served("governor")).toMatchObject({ slaGot: 1 });
  });

  test("aims are met and missed by what was measured", () => {
    const aims = aimsOf(summary, "governor");
    const met = Object.fromEntries(aims.map((aim) => [aim.what, aim.met]));
    expect(met).toMatchObject({
      "run time against the default, mean of the kernels": false,
      "run time against the expert's set-up, worst kernel": true,
      "run time against the fluid limit, worst kernel": false,
      "part of its SLA that a service got, worst service": true,
      "p99 of the web guests against the services alone, worst": true,
    });
    const fluid = aims.find((aim) => aim.what.includes("fluid"));
    expect(fluid).toMatchObject({ measured: 1.05, aim: "<= 1.03" });
  });

  test("what has nothing to be held against is left out, not guessed", () => {
    const lonely = summarize([run("governor", 0, [kernel(14, 350, 0.5)], [web(0.5, 99, 10)])], 2);
    expect(lonely.kernels[0]).toMatchObject({
      timeToDefault: null,
      timeToFluid: null,
      timeGainReached: null,
    });
    expect(lonely.services[0]).toMatchObject({ p99ToAlone: null, slaGot: null });
    expect(aimsOf(lonely, "governor")).toEqual([]);
  });
});

describe("the lines of a size", () => {
  test("hold each arm against the default, the expert and the guest alone", () => {
    const lines = linesOf(summarize(runs, 2));
    expect(lines.map(({ arm }) => arm)).toEqual(["default", "static", "governor"]);
    const governor = lines.at(-1);
    expect(governor?.timeToDefault).toBeCloseTo(0.7, 10);
    expect(governor?.timeToStatic).toBeCloseTo(14 / 16, 10);
    expect(governor?.timeToAlone).toBeCloseTo(1.4, 10);
    expect(governor?.timeToFluid).toBeCloseTo(14 / (10 / 0.75), 10);
    expect(governor?.timeGain).toBeCloseTo(0.6, 10);
    expect(governor?.switchesToDefault).toBeCloseTo(350 / 1100, 10);
    expect(governor).toMatchObject({ slaGot: 1, pcP99: null });
    expect(governor?.webP99).toBeCloseTo(1.02, 10);
    expect(lines[1]?.slaGot).toBeCloseTo(0.8, 10);
  });

  test("say nothing against an arm that is missing", () => {
    const lines = linesOf(
      summarize(
        runs.filter(({ arm }) => arm !== "default" && arm !== "static"),
        2,
      ),
    );
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatchObject({ timeToDefault: null, timeToStatic: null, timeGain: null });
  });
});
