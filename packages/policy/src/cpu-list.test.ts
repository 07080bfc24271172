import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { CpuListError, formatCpuList, parseCpuList, parseLibvirtCpuSet } from "./cpu-list.ts";

describe("parseCpuList", () => {
  it.each([
    ["0\n", [0]],
    ["0-3,8\n", [0, 1, 2, 3, 8]],
    ["", []],
    ["\n", []],
    ["8,0-1", [0, 1, 8]],
    ["0-3,2-5", [0, 1, 2, 3, 4, 5]],
    ["0-9:2/4", [0, 1, 4, 5, 8, 9]],
    ["10,2", [2, 10]],
  ])("reads %j", (text, cpus) => {
    expect(parseCpuList(text)).toEqual(cpus);
  });

  it.each([
    "a",
    "1-",
    "-1",
    "3-1",
    "0,,1",
    "1 2",
    "0-4000000000",
    "65536",
    "0-3:2/0",
    "0-3:3/2",
    "^2",
    "0x1",
  ])("refuses %j by name", (text) => {
    expect(() => parseCpuList(text)).toThrow(CpuListError);
    expect(() => parseCpuList(text)).toThrow(text.slice(0, 3));
  });

  it("answers any text with CPUs or with a CpuListError, never with anything else", () => {
    const cpuListLike = fc.string({ unit: fc.constantFrom(..."0123456789-,:/^ \n") });
    fc.assert(
      fc.property(fc.oneof(fc.string(), cpuListLike), (text) => {
        let cpus: number[];
        try {
          cpus = parseCpuList(text);
        } catch (error) {
          expect(error).toBeInstanceOf(CpuListError);
          return;
        }
        expect(cpus).toEqual([...new Set(cpus)].sort((a, b) => a - b));
      }),
    );
  });
});

describe("formatCpuList", () => {
  it.each([
    [[], ""],
    [[0], "0"],
    [[3, 2, 0, 1, 8], "0-3,8"],
    [[0, 1], "0-1"],
    [[1, 3, 5], "1,3,5"],
    [[4, 4], "4"],
  ])("writes %j", (cpus, text) => {
    expect(formatCpuList(cpus)).toBe(text);
  });

  it("refuses what is no CPU number", () => {
    for (const cpu of [-1, 1.5, Number.NaN, 65_536]) expect(() => formatCpuList([cpu])).toThrow(CpuListError);
  });

  it("is undone by parseCpuList for every set", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 65_535 })), (cpus) => {
        expect(parseCpuList(formatCpuList(cpus))).toEqual([...cpus].sort((a, b) => a - b));
      }),
    );
  });

  it("writes dense sets as the fewest ranges", () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer({ min: 0, max: 20 })), (cpus) => {
        const starts = cpus.filter((cpu) => !cpus.includes(cpu - 1)).length;
        const text = formatCpuList(cpus);
        expect(text === "" ? 0 : text.split(",").length).toBe(starts);
      }),
    );
  });
});

describe("parseLibvirtCpuSet", () => {
  it.each([
    ["0-3,^2", [0, 1, 3]],
    ["0-7,^4-5", [0, 1, 2, 3, 6, 7]],
    ["1", [1]],
    ["", []],
    // Exclusion works on what stands before it only.
    ["^2,0-3", [0, 1, 2, 3]],
  ])("reads %j", (text, cpus) => {
    expect(parseLibvirtCpuSet(text)).toEqual(cpus);
  });

  it("refuses what libvirt refuses", () => {
    for (const text of ["^", "0-3,^", "a", "3-1"])
      expect(() => parseLibvirtCpuSet(text)).toThrow(CpuListError);
  });
});
