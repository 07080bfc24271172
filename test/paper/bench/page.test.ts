/** The page is replaced between its marks only; plots are well-formed and show what was measured. */
import { expect, test } from "@jest/globals";
import { XMLValidator } from "fast-xml-parser";
import { insert } from "./part.ts";
import { barChart } from "./plot.ts";

const marked = (name: string, text: string): string =>
  `<!-- ${name}: written by \`npm run bench -- ${name}\` -->\n\n${text}\n\n<!-- ${name}: end -->`;

test("a part is put at the end first, and replaced from then on; parts of others stay", () => {
  const once = insert("# Benchmarks\n\n## other\n", "paper", "first");
  expect(once).toBe(`# Benchmarks\n\n## other\n\n${marked("paper", "first")}\n`);
  const more = insert(`${once}\n## later\n`, "frontier", "dots");
  expect(more).toBe(`${once}\n## later\n\n${marked("frontier", "dots")}\n`);
  expect(insert(more, "paper", "second")).toBe(more.replace("first", "second"));
  expect(insert(more, "frontier", "lines")).toBe(more.replace("dots", "lines"));
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
