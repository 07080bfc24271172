import { describe, expect, it } from "@jest/globals";
import { atLeast, below, runBench, type Arm, type BenchReport } from "./harness.ts";
import { medianInterval, quantile, spreadOf } from "./statistics.ts";

describe("medianInterval", () => {
  const upTo = (n: number): number[] => Array.from({ length: n }, (_, at) => at + 1);

  // Ranks from the table of the sign test: n 20, 5 or fewer on one side have a chance of 0.0207.
  it.each([
    [1, [1, 1]],
    [5, [1, 5]],
    [8, [1, 8]],
    [9, [2, 8]],
    [20, [6, 15]],
    [100, [40, 61]],
  ])("of %d values", (n, ranks) => {
    expect(medianInterval(upTo(n))).toEqual(ranks);
  });

  it("is not asked for of no values", () => {
    expect(() => medianInterval([])).toThrow(RangeError);
  });
});

describe("runBench", () => {
  it("runs the arms in turns, leaves the warm-up out, and gives median and spread", async () => {
    const order: string[] = [];
    let value = 0;
    const lines: string[] = [];
    const report = await runBench({
      name: "trial",
      rounds: 3,
      warmUpRounds: 1,
      json: true,
      write: (line) => lines.push(line),
      arms: [
        { name: "a", measure: () => (order.push("a"), { wall_ms: value++ }) },
        { name: "b", measure: () => (order.push("b"), { wall_ms: 7 }) },
      ],
      aims: (figure) => [
        below("a", 5, figure("a", "wall_ms").median),
        atLeast("b", 8, figure("b", "wall_ms").median),
      ],
    });
    expect(order).toEqual(["b", "a", "a", "b", "b", "a", "a", "b"]);
    expect(report.results[0]?.figures["wall_ms"]).toEqual({
      median: 2,
      p10: 1.2,
      p90: 2.8,
      p99: 2.98,
      min: 1,
      max: 3,
      medianLow: 1,
      medianHigh: 3,
      n: 3,
    });
    expect(report.aims.map(({ met }) => met)).toEqual([true, false]);
    expect(lines).toHaveLength(1);
    expect(JSON.parse(lines[0] ?? "") as BenchReport).toEqual(report);
  });

  it("runs an arm that is alone after the others are down", async () => {
    const order: string[] = [];
    const arm = (name: string, more: object = {}): Arm => ({
      name,
      setUp: () => void order.push(`up ${name}`),
      measure: () => (order.push(name), { x: 1 }),
      tearDown: () => void order.push(`down ${name}`),
      ...more,
    });
    const arms = [arm("alone", { isAlone: true, rounds: 1 }), arm("a"), arm("b")];
    await runBench({ name: "trial", rounds: 1, warmUpRounds: 0, arms, write: () => undefined });
    expect(order).toEqual(["up a", "up b", "a", "b", "down a", "down b", "up alone", "alone", "down alone"]);
  });

  it("prints a table that names a missed aim", async () => {
    const lines: string[] = [];
    await runBench({
      name: "trial",
      rounds: 1,
      json: false,
      write: (line) => lines.push(line),
      arms: [{ name: "a", measure: () => ({ wall_ms: 9 }) }],
      aims: () => [below("wall", 5, 9)],
    });
    expect(lines.join("\n")).toMatch(/MISSED {2}wall {2}< 5/);
  });

  it("tears every arm down when one fails", async () => {
    const down: string[] = [];
    const run = runBench({
      name: "trial",
      write: () => undefined,
      arms: [
        { name: "a", measure: () => ({ x: Number.NaN }), tearDown: () => void down.push("a") },
        { name: "b", measure: () => ({ x: 1 }), tearDown: () => void down.push("b") },
      ],
    });
    await expect(run).rejects.toThrow("figure x is NaN");
    expect(down).toEqual(["a", "b"]);
  });
});

describe("statistics", () => {
  it("interpolates between order statistics", () => {
    expect(quantile([1, 2, 3, 4], 0.5)).toBe(2.5);
    expect(spreadOf([3, 1, 2]).median).toBe(2);
    expect(() => quantile([], 0.5)).toThrow(RangeError);
  });
});
