/** Figures of an arm, the ways that no other dominates, and what is drawn of them. */
import { describe, expect, test } from "@jest/globals";
import { XMLValidator } from "fast-xml-parser";
import type { ArmResult } from "../../bench/harness.ts";
import { spreadOf } from "../../bench/statistics.ts";
import { readFrontierOptions } from "./frontier-options.ts";
import { frontierPlot, frontierTable } from "./frontier-page.ts";
import { FrontierError, dominates, figuresOfRun, frontierOf } from "./frontier.ts";
import { OptionsError } from "./options.ts";
import type { KernelFigures, ServiceFigures } from "./record.ts";
import { ticksAround } from "./scatter.ts";
import { WAYS } from "./ways.ts";

function kernel(name: "CG" | "MG", seconds: number): KernelFigures {
  const counted = { switches: 300, migrations: 6, runSeconds: 2, delaySeconds: 1 };
  return {
    kernel: name,
    repeats: 1,
    seconds,
    wallSeconds: 2,
    ...counted,
    servicesCores: 0.5,
    otherCores: 0.1,
  };
}

function service(role: "web" | "pc", name: string, p99Ms: number): ServiceFigures {
  const served = { throughput: 10, p50Ms: p99Ms / 2, errors: 1 };
  return { name, role, slaCores: 0.5, cores: 0.25, delayShare: p99Ms / 100, p99Ms, ...served };
}

describe("figures of a run", () => {
  test("counters become rates and shares of a vCPU; services of one role are taken together", () => {
    const services = [service("web", "web", 20), service("web", "web-2", 40), service("pc", "pc", 10)];
    const figures = figuresOfRun({ kernels: [kernel("CG", 1), kernel("MG", 4)], services }, 2);
    expect(figures).toMatchObject({
      CG_s: 1,
      CG_switches_per_s: 150,
      CG_migrations_per_s: 3,
      CG_run_share: 0.5,
      MG_delay_share: 0.25,
      other_cores: 0.1,
      web_per_s: 20,
      web_p50_ms: 20,
      web_p99_ms: 40,
      web_cores: 0.5,
      web_delay_share: 0.4,
      web_errors: 2,
      pc_cores: 0.25,
    });
    expect(figures["kernels_s"]).toBeCloseTo(2, 12);
  });

  test("without kernels or services there are no figures of them: a zero would be one", () => {
    expect(figuresOfRun({ kernels: [], services: [service("pc", "pc", 10)] }, 2)).not.toHaveProperty(
      "kernels_s",
    );
    expect(Object.keys(figuresOfRun({ kernels: [kernel("CG", 1)], services: [] }, 2)).join()).not.toMatch(
      /web|pc/,
    );
  });
});

function arm(name: string, values: Record<string, number>): ArmResult {
  const figures = Object.entries(values).map(([figure, value]) => [figure, spreadOf([value])] as const);
  return { arm: name, figures: Object.fromEntries(figures) };
}

const way = (name: string, kernels: number, web: number, pc: number, cores = 0.3): ArmResult =>
  arm(name, { kernels_s: kernels, web_p99_ms: web, pc_p99_ms: pc, web_cores: cores, pc_cores: 0.2 });

const ALONE = arm("alone", { kernels_s: 2 });
const SERVICES = arm("services", { web_p99_ms: 20, pc_p99_ms: 40, web_cores: 0.4, pc_cores: 0.2 });

describe("the frontier", () => {
  const results = [
    ALONE,
    SERVICES,
    way("default", 6, 200, 400, 0.1),
    way("idle", 8, 20, 40),
    way("idle+apart", 5, 20, 40),
    way("weight 8", 3, 300, 500),
    way("weight 1+apart", 5.5, 30, 38),
  ];

  test("ratios are against each side alone, and the fastest way comes first", () => {
    const places = frontierOf(results);
    expect(places.map((place) => place.way)).toEqual([
      "weight 8",
      "idle+apart",
      "weight 1+apart",
      "default",
      "idle",
    ]);
    expect(places[3]).toEqual({
      way: "default",
      time: { median: 3, p10: 3, p90: 3 },
      webP99: { median: 10, p10: 10, p90: 10 },
      pcP99: { median: 10, p10: 10, p90: 10 },
      webP99Ms: 200,
      pcP99Ms: 400,
      servicesCores: expect.closeTo(0.5, 12),
      isFrontier: false,
    });
  });

  test("who is worse nowhere and better somewhere takes a way off it", () => {
    const on = frontierOf(results).filter(({ isFrontier }) => isFrontier);
    // idle is as good for the services as idle+apart, and slower; weight 1 is worse but for the PC guest.
    expect(on.map((place) => place.way)).toEqual(["weight 8", "idle+apart", "weight 1+apart"]);
  });

  test("two ways that are alike leave each other on it", () => {
    const alike = frontierOf([ALONE, SERVICES, way("a", 5, 20, 40), way("b", 5, 20, 40)]);
    expect(alike.map(({ isFrontier }) => isFrontier)).toEqual([true, true]);
    const [a, b] = alike;
    if (a === undefined || b === undefined) throw new Error("two ways went in");
    expect(dominates(a, b)).toBe(false);
  });

  test("a missing reference is an error by name", () => {
    expect(() => frontierOf([SERVICES, way("idle", 8, 20, 40)])).toThrow(FrontierError);
    expect(() => frontierOf([SERVICES, way("idle", 8, 20, 40)])).toThrow("no figure kernels_s of alone");
  });

  test("the table and the plot have every way, and the plot says which are on the frontier", () => {
    const places = frontierOf(results);
    const rows = frontierTable(places).split("\n");
    expect(rows).toHaveLength(2 + places.length);
    expect(rows[2]).toBe("| `weight 8` | weight 8 to 1 | 1.5 | 15 | 300 | 12.5 | 500 | 83% | **yes** |");
    const svg = frontierPlot(places);
    expect(XMLValidator.validate(svg)).toBe(true);
    expect(svg.match(/<circle/g)).toHaveLength(places.length);
    expect(svg.match(/<circle [^>]*fill="#0072B2"/g)).toHaveLength(3);
    const x = (name: string): number =>
      Number(new RegExp(`cx="([\\d.]+)"[^>]*><title>${name.replace("+", "\\+")}:`).exec(svg)?.[1]);
    expect(x("weight 8")).toBeGreaterThan(x("default"));
    expect(x("default")).toBeGreaterThan(x("idle"));
  });

  test("ticks reach around the values, also around one only", () => {
    expect(ticksAround([0.9, 14])).toEqual([0.5, 1, 2, 5, 10, 20]);
    expect(ticksAround([2])).toEqual([2, 5]);
  });
});

describe("arguments", () => {
  test("everything by default; the references always run, in the order of the table", () => {
    expect(readFrontierOptions([])).toMatchObject({
      rounds: 3,
      kernels: ["CG", "MG", "EP"],
      seconds: 3,
      size: "usual",
      out: undefined,
      ways: [...WAYS.keys()],
    });
    expect(readFrontierOptions(["--only", "idle+apart,default"]).ways).toEqual([
      "alone",
      "services",
      "default",
      "idle+apart",
    ]);
  });

  test.each([
    [["--only", "idle,nonsense"], '--only: "nonsense"'],
    [["--load", "huge"], '--load: "huge" is none of usual'],
    [["--rounds", "0"], "--rounds"],
    [["--kernels", "XX"], "--kernels"],
    [["--beta", "2"], "--beta"],
  ])("%j is refused by name", (args, named) => {
    expect(() => readFrontierOptions(args)).toThrow(OptionsError);
    expect(() => readFrontierOptions(args)).toThrow(named);
  });
});
