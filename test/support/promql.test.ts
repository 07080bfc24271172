import { describe, expect, it } from "@jest/globals";
import { selectorsIn } from "./promql.ts";

const names = (expression: string): string[] => selectorsIn(expression).map(({ name }) => name);

describe("selectorsIn", () => {
  it("finds every name, and takes no function, label, keyword, string, duration or number for one", () => {
    expect(
      names(
        'sum by (host, le) (rate(a_total{b="c", d=~"e{f}"}[5m] offset 1h)) / on (host) group_left () (g:h:ratio5m > 1e3) or vector(0) unless i',
      ),
    ).toEqual(["a_total", "g:h:ratio5m", "i"]);
    expect(names("sum(x) by (y) and on () z == bool 1")).toEqual(["x", "z"]);
    expect(names("rate(a[$__rate_interval])")).toEqual(["a"]);
  });

  it("tells the labels that matchers name", () => {
    expect(selectorsIn('a{b="}", c!="", d=~"x"}')).toEqual([{ name: "a", labels: ["b", "c", "d"] }]);
  });

  it("refuses what it does not understand", () => {
    expect(() => selectorsIn('a{b="}')).toThrow(/does not end/);
    expect(() => selectorsIn("sum by host (a)")).toThrow(/no list/);
  });
});
