import { describe, expect, it } from "@jest/globals";
import {
  PARTITIONS,
  UNPARTITIONED,
  hostOfSubject,
  partitionOf,
  partitionSubject,
  subjects,
} from "./subjects.ts";

describe("subjects", () => {
  it("divide hosts evenly, also such as differ in one digit only", () => {
    for (const name of [(n: number) => `host-${n}`, (n: number) => n.toString(16).padStart(32, "0")]) {
      const counts = Array.from({ length: PARTITIONS }, () => 0);
      for (let n = 0; n < 10_000; n++) counts[partitionOf(name(n))] = (counts[partitionOf(name(n))] ?? 0) + 1;
      const even = 10_000 / PARTITIONS;
      expect(Math.min(...counts)).toBeGreaterThan(even * 0.75);
      expect(Math.max(...counts)).toBeLessThan(even * 1.25);
    }
  });

  it("never put a host elsewhere: other versions of this program count on it", () => {
    expect(["a", "host-1", "0b5a7a0e0001", "x".repeat(128)].map(partitionOf)).toEqual([0, 2, 22, 27]);
  });

  it("name the host again, with a partition or without", () => {
    expect(hostOfSubject(subjects.sample("h_1"))).toBe("h_1");
    expect(hostOfSubject(subjects.host("h_1"))).toBe("h_1");
    expect(hostOfSubject("kvmgov.v1.sample.h_1")).toBe("h_1");
  });

  it.each([
    ["another version", "kvmgov.v2.sample.h1"],
    ["another prefix", "other.v1.sample.h1"],
    ["no host", "kvmgov.v1.sample"],
    ["another host's partition", `kvmgov.v1.sample.h1.${(partitionOf("h1") + 1) % PARTITIONS}`],
    ["no partition", "kvmgov.v1.sample.h1.x"],
    ["a partition with a zero in front", `kvmgov.v1.sample.h1.0${partitionOf("h1")}`],
    ["more than that", `${subjects.sample("h1")}.more`],
  ])("name no host for %s", (_what, subject) => {
    expect(hostOfSubject(subject)).toBeUndefined();
  });

  it("filter by partition", () => {
    expect(partitionSubject("sample", 7)).toBe("kvmgov.v1.sample.*.7");
    expect(partitionSubject("sample", UNPARTITIONED)).toBe("kvmgov.v1.sample.*");
  });
});
