import { describe, expect, it } from "@jest/globals";
import { TraceError, formatTraceSet, parseTraceSet, traceSet } from "./trace-set.ts";
import { samplesOf } from "./simulate.ts";

const HEAD = "guest,vcpus,begin_s,interval_s,percent";
const two = {
  name: "two",
  guests: [{ name: "a", vcpus: 2, beginS: 60, intervalS: 30, use: [0.05, 0.07, 0.07, 1] }],
};

describe("a trace set", () => {
  it("is read as it was written", () => {
    const text = formatTraceSet(two, ["from somewhere"]);
    expect(text).toBe(`# from somewhere\n${HEAD}\na,2,60,30,5;7x2;100\n`);
    expect(parseTraceSet("two", text)).toEqual(two);
  });

  it.each([
    ["another head", "vm,percent\n", /first row/],
    ["a value above 100", `${HEAD}\na,1,0,30,101\n`, /line 2: "101" is no percentage/],
    ["no value", `${HEAD}\na,1,0,30,5;;6\n`, /line 2: "" is no percentage/],
    ["no interval", `${HEAD}\na,1,0,0,5\n`, /line 2: is no guest/],
  ])("with %s is refused", (_, text, message) => {
    expect(() => parseTraceSet("bad", text)).toThrow(TraceError);
    expect(() => parseTraceSet("bad", text)).toThrow(message);
  });

  it("plays each value for its interval, and a guest only while it is there", () => {
    const runs = [...samplesOf(two, 20_000)].map(({ guests }) => guests[0]?.vcpus[0]?.run);
    // A period takes the value that holds as it begins; the guest is there from second 60 to 180.
    expect(runs).toEqual([undefined, undefined, undefined, 0.05, 0.05, 0.07, 0.07, 0.07, 1]);
  });

  it.each([
    ["azure-24h", 100, 288],
    ["surf-24h", 60, 2880],
  ])("%s is there, whole", (name, guests, most) => {
    const set = traceSet(name);
    expect(set.guests).toHaveLength(guests);
    expect(Math.max(...set.guests.map(({ use }) => use.length))).toBe(most);
    for (const { use, beginS, intervalS } of set.guests)
      expect(beginS + use.length * intervalS).toBeLessThanOrEqual(86_400);
  });
});
