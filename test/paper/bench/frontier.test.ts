/** Figures of an arm, the ways that no other dominates, and what is drawn of them. */
import { describe, expect, test } from "@jest/globals";
import { XMLValidator } from "fast-xml-parser";
import type { ArmResult } from "../../bench/harness.ts";
import { spreadOf } from "../../bench/statistics.ts";
import { readFrontierOptions } from "./frontier-options.ts";
import { frontierPart, frontierPlot, frontierTable } from "./frontier-page.ts";
import { FrontierError, dominates, figuresOfRun, frontierOf } from "./frontier.ts";
import type { KernelFigures, ServiceFigures } from "./record.ts";

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

  test("the spread of a way is against the median of the reference", () => {
    const times = spreadOf([4, 6, 16]);
    const spread: ArmResult = { arm: "a", figures: { ...way("a", 5, 20, 40).figures, kernels_s: times } };
    const [place] = frontierOf([ALONE, SERVICES, spread]);
    expect(place?.time).toEqual({ median: 3, p10: times.p10 / 2, p90: times.p90 / 2 });
    expect(times.p90).toBeGreaterThan(times.median);
    // And it is said where there is one.
    const said = (value: number): string => String(Number((value / 2).toPrecision(3)));
    expect(frontierTable(place === undefined ? [] : [place])).toContain(
      `| 3 (${said(times.p10)} to ${said(times.p90)}) | 1 | 20 |`,
    );
  });

  test("a reference of 0 is an error by name: nothing can be held against it", () => {
    const silent = arm("services", { web_p99_ms: 0, pc_p99_ms: 40, web_cores: 0.4, pc_cores: 0.2 });
    expect(() => frontierOf([ALONE, silent, way("idle", 8, 20, 40)])).toThrow(FrontierError);
    expect(() => frontierOf([ALONE, silent, way("idle", 8, 20, 40)])).toThrow(
      "figure web_p99_ms of services is 0",
    );
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
    // By web p99 and time: of the PC guest it has 0.95.
    expect(svg).toContain("<title>weight 1+apart: 1.5, 2.75</title>");
  });

  test("the part of the page has the machine, the fewest rounds, who else used it, and the vCPUs of each arm but the services'", () => {
    const vcpus = {
      CG_s: 1.5,
      CG_switches_per_s: 7,
      CG_migrations_per_s: 8,
      CG_run_share: 0.5,
      CG_delay_share: 0.25,
    };
    const counted = (name: string, other: number): ArmResult => arm(name, { ...vcpus, other_cores: other });
    const twice: ArmResult = { arm: "idle", figures: { CG_s: spreadOf([1, 2]) } };
    const text = frontierPart({
      name: "frontier",
      machine: { cpus: 2, cpu: "a CPU", kernel: "6.18", memoryGb: 4, arch: "x64", node: "24", load1: 0 },
      results: [counted("alone", 0.01), SERVICES, counted("default", 0.2), twice],
      aims: [],
      options: readFrontierOptions(["--kernels", "CG"]),
      accelerator: "kvm",
      startedAt: "2026-11-20T12:00:00Z",
      frontier: frontierOf(results),
    });
    expect(text).toContain("2026-11-20, 2 x a CPU, Linux 6.18, guests under KVM; kernels CG, class S; ");
    expect(text).toContain("one round.");
    expect(text).toContain("used 0.01 to 0.2 cores, by way.");
    const rows = text.slice(text.indexOf("### What")).split("\n").slice(4);
    expect(rows).toEqual([
      "| `alone` | CG | 1.5 | 7 | 8 | 0.5 | 0.25 |",
      "| `default` | CG | 1.5 | 7 | 8 | 0.5 | 0.25 |",
      "| `idle` | CG | 1.5 (1.1 to 1.9) |  |  |  |  |",
    ]);
  });
});
