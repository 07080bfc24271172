/** Where dots and their names are drawn: both axes logarithmic, names legible. */
import { describe, expect, test } from "@jest/globals";
import { XMLValidator } from "fast-xml-parser";
import { scatterPlot, ticksAround, type Dot } from "./scatter.ts";

const dot = (name: string, x: number, y: number, isFrontier = false): Dot => ({ name, x, y, isFrontier });
const draw = (...dots: Dot[]): string => scatterPlot({ title: "t", xAxis: "x", yAxis: "y", dots });

/** Centre of a dot, by what its title says. */
function centreOf(svg: string, title: string): { x: number; y: number } {
  const circles = [...svg.matchAll(/<circle cx="([\d.]+)" cy="([\d.]+)"[^>]*><title>([^<]*)<\/title>/g)];
  const [, x, y] = circles.find(([, , , found]) => found === title) ?? [];
  return { x: Number(x), y: Number(y) };
}

/** Heights of texts, by what they say. */
function textOf(svg: string, said: string): { x: number; y: number } {
  const texts = [...svg.matchAll(/<text x="([\d.]+)" y="([\d.]+)"[^>]*>([^<]*)<\/text>/g)];
  const [, x, y] = texts.find(([, , , found]) => found === said) ?? [];
  return { x: Number(x), y: Number(y) };
}

describe("ticks", () => {
  test("reach around the values, also around one only, and no further", () => {
    expect(ticksAround([0.9, 14])).toEqual([0.5, 1, 2, 5, 10, 20]);
    expect(ticksAround([2])).toEqual([2, 5]);
    expect(ticksAround([1, 10])).toEqual([1, 2, 5, 10]);
  });

  test.each([[[0]], [[1e-9]], [[1, 1e9]]])("of %j are refused: a logarithm has no end", (values) => {
    expect(() => ticksAround(values)).toThrow(/a dot lies outside of 0\.000001 to 5000000/);
  });
});

describe("a scatter plot", () => {
  test("has what is larger further right and higher up, as far for the same ratio", () => {
    const svg = draw(dot("a", 1, 1), dot("b", 10, 10), dot("c", 100, 100));
    const [a, b, c] = ["a: 1, 1", "b: 10, 10", "c: 100, 100"].map((title) => centreOf(svg, title));
    if (a === undefined || b === undefined || c === undefined) throw new Error("three dots went in");
    expect([b.x - a.x, b.y - a.y]).toEqual([expect.closeTo(c.x - b.x, 0), expect.closeTo(c.y - b.y, 0)]);
    expect(b.x).toBeGreaterThan(a.x);
    expect(b.y).toBeLessThan(a.y);
  });

  test("says of each dot what it is, with three digits, whatever its name", () => {
    const svg = draw(dot("a<b&c", 1.23456, 0.0123456, true), dot("d", 5, 1));
    expect(XMLValidator.validate(svg)).toBe(true);
    expect(centreOf(svg, "a&#60;b&#38;c: 1.23, 0.0123").x).toBeGreaterThan(0);
    expect(svg.match(/<circle [^>]*fill="#ffffff"/g)).toHaveLength(1);
  });

  test("has names beside their dots, below those that they would cover, and beside those that are far enough away", () => {
    const svg = draw(dot("far", 1000, 10), dot("one", 1, 10), dot("two", 1.01, 10), dot("low", 1, 1));
    const [far, one, two] = ["far", "one", "two"].map((name) => textOf(svg, name).y);
    expect(one).toBe(far);
    expect((two ?? 0) - (one ?? 0)).toBeGreaterThanOrEqual(13);
    expect(textOf(svg, "one").x).toBeGreaterThan(centreOf(svg, "one: 1, 10").x);
  });
});
