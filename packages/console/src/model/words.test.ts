import { expect, it } from "@jest/globals";
import { round, visible } from "./words.ts";

it.each([
  ["a plain name, with umlauts äöü and 😀", "a plain name, with umlauts äöü and 😀"],
  ["\u001b[31mred\u0007", "\\u001b[31mred\\u0007"],
  ["safe\u202egpj.exe", "safe\\u202egpj.exe"],
  ["a\u200bb\u2028c\n", "a\\u200bb\\u2028c\\n"],
  ["tag \u{e0041}", "tag \\u{e0041}"],
  ["<img src=x onerror=alert(1)>", "<img src=x onerror=alert(1)>"],
])("shows %j as it can be told from others", (name, shown) => {
  expect(visible(name)).toBe(shown);
});

it("rounds without a minus before 0", () => {
  expect([round(-0.001, 2), round(0.125, 2), round(1.004, 2)].map(String)).toEqual(["0", "0.13", "1"]);
});
