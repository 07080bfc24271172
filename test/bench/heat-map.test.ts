import { describe, expect, it } from "@jest/globals";
import { heatMapsSvg } from "./heat-map.ts";
import type { HeatMaps } from "./heat-map.ts";

const maps: HeatMaps = {
  title: "a < b & c",
  subtitle: "s",
  xTitle: "x",
  xLabels: ["1", "2"],
  yTitle: "y",
  yLabels: ["0.5"],
  rows: [{ title: "r", dark: [0, 0, 0], format: String, panels: [{ title: "p", cells: [[0, 100]] }] }],
};

describe("heat maps", () => {
  it("have every figure in a cell, 0 white and the most dark, with ink that can be read on it", () => {
    const svg = heatMapsSvg(maps);
    expect(svg).toMatch(/fill="rgb\(255,255,255\)"[^>]*\/><text[^>]*fill="#000000">0</);
    expect(svg).toMatch(/fill="rgb\(0,0,0\)"[^>]*\/><text[^>]*fill="#ffffff">100</);
    expect(svg.match(/stroke="#dddddd"/g)).toHaveLength(2);
  });

  it("are well-formed whatever the titles say", () => {
    expect(heatMapsSvg(maps)).toContain("<title>a &lt; b &amp; c</title>");
  });
});
