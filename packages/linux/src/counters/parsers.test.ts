import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { readCpuStat } from "./cpu-stat.ts";
import { numberAfter, readNumbers } from "./digits.ts";
import { readStatusSwitches } from "./thread-status.ts";

const inBuffer = (text: string): [Buffer, number] => {
  // Old bytes behind the end, as in a scratch buffer that is used again.
  const bytes = Buffer.alloc(4096, "9");
  return [bytes, bytes.write(text, "latin1")];
};

describe("readNumbers", () => {
  it("reads a schedstat line and nothing behind its end", () => {
    const out = new Float64Array(3);
    expect(readNumbers(...inBuffer("2237000123 55 981\n"), out)).toBe(3);
    expect([...out]).toEqual([2237000123, 55, 981]);
    expect(readNumbers(...inBuffer("12 34"), out)).toBe(2);
    expect([...out.subarray(0, 2)]).toEqual([12, 34]);
  });

  it("reads whatever numbers are printed, up to 2^53 exactly", () => {
    const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
    fc.assert(
      fc.property(fc.tuple(number, number, number), (numbers) => {
        const out = new Float64Array(3);
        expect(readNumbers(...inBuffer(`${numbers.join(" ")}\n`), out)).toBe(3);
        expect([...out]).toEqual(numbers);
      }),
    );
  });
});

describe("numberAfter", () => {
  it("does not take a key, or digits, from behind the end", () => {
    const [bytes] = inBuffer("a 1\nb 2\n");
    expect(numberAfter(bytes, 4, Buffer.from("b "))).toBeUndefined();
    expect(numberAfter(bytes, 3, Buffer.from("a "))).toBe(1);
    expect(numberAfter(bytes, 2, Buffer.from("a "))).toBeUndefined();
  });
});

describe("readCpuStat", () => {
  const out = { periods: 0, throttledPeriods: 0, throttledNs: 0 };

  it("reads v1, as captured on Linux 6.18", () => {
    const text = "nr_periods 46\nnr_throttled 45\nthrottled_time 3161003779\nnr_bursts 3\nburst_time 9\n";
    expect(readCpuStat(...inBuffer(text), 1, out)).toBe(true);
    expect(out).toEqual({ periods: 46, throttledPeriods: 45, throttledNs: 3161003779 });
  });

  it("reads v2, whose times are microseconds and stand behind others", () => {
    const text =
      "usage_usec 7102\nuser_usec 5000\nsystem_usec 2102\nnr_periods 8\nnr_throttled 2\nthrottled_usec 150\nnr_bursts 0\nburst_usec 0\n";
    expect(readCpuStat(...inBuffer(text), 2, out)).toBe(true);
    expect(out).toEqual({ periods: 8, throttledPeriods: 2, throttledNs: 150_000 });
  });

  it("says so where the group has no bandwidth control", () => {
    expect(readCpuStat(...inBuffer("usage_usec 7102\nuser_usec 5000\nsystem_usec 2102\n"), 2, out)).toBe(
      false,
    );
  });
});

describe("readStatusSwitches", () => {
  it("tells voluntary from nonvoluntary, whatever stands around them", () => {
    const text =
      "Name:\tCPU 0/KVM\nMems_allowed_list:\t0\nvoluntary_ctxt_switches:\t150\nnonvoluntary_ctxt_switches:\t545\nx86_Thread_features:\t\n";
    const out = { voluntary: 0, involuntary: 0 };
    expect(readStatusSwitches(...inBuffer(text), out)).toBe(true);
    expect(out).toEqual({ voluntary: 150, involuntary: 545 });
  });

  it("is not taken in by a thread that is named like a line", () => {
    const out = { voluntary: 0, involuntary: 0 };
    expect(readStatusSwitches(...inBuffer("Name:\tvoluntary_ctxt_switches:\t7\n"), out)).toBe(false);
  });
});
