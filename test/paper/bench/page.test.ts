/** The page is replaced between its marks only; plots are well-formed and show what was measured. */
import { expect, test } from "@jest/globals";
import { XMLValidator } from "fast-xml-parser";
import { insert } from "./page.ts";
import { barChart } from "./plot.ts";

const part = (text: string): string =>
  `<!-- paper: written by \`npm run bench -- paper\` -->\n${text}\n<!-- paper: end -->`;

test("the part is put at the end first, and replaced from then on", () => {
  const once = insert("# Benchmarks\n\n## other\n", part("first"));
  expect(once).toBe(`# Benchmarks\n\n## other\n\n${part("first")}\n`);
  const more = `${once}\n## later\n`;
  expect(insert(more, part("second"))).toBe(more.replace("first", "second"));
});

test("a chart has a bar for each value, none for what is missing, and is well-formed XML", () => {
  const bar = (value: number) => ({ value, low: value * 0.9, high: value * 1.1 });
  const svg = barChart({
    title: "a < b & c",
    axis: "s",
    series: ["one", "two"],
    groups: [
      { name: "EP", bars: [bar(1), bar(0.5)] },
      { name: "CG", bars: [bar(2), undefined] },
    ],
    mark: 1,
  });
  expect(XMLValidator.validate(svg)).toBe(true);
  expect(svg.match(/<title>/g)).toHaveLength(3);
  const heights = [...svg.matchAll(/height="([\d.]+)" fill="#(?:999999|E69F00)"><title>/g)].map((match) =>
    Number(match[1]),
  );
  expect(heights[0]).toBeCloseTo(2 * (heights[1] ?? 0), 0);
  expect(heights[2]).toBeCloseTo(2 * (heights[0] ?? 0), 0);
});
