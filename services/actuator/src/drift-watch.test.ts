import { describe, expect, it } from "@jest/globals";
import type { WantedValue, Write } from "@kvm-governor/linux";
import { DriftWatch } from "./drift-watch.ts";

const KEY = "/g/vcpu0/cpu.cfs_quota_us";
const want = (text: string): WantedValue[] => [{ key: KEY, target: "vcpu 0", setting: "bandwidth", text }];
const found = (text: string): Map<string, string> => new Map([[KEY, text]]);
const write: Write = { op: "file", target: "vcpu 0", setting: "bandwidth", key: KEY, text: "5000" };
const reassert = { generation: 1, isRespected: false };
const respect = { generation: 1, isRespected: true };

describe("drift", () => {
  it("is none before anything was applied", () => {
    expect(new DriftWatch().look(want("5000"), found("-1"), reassert)).toEqual([]);
  });

  it("is what is neither applied nor wanted, and is told once", () => {
    const watch = new DriftWatch();
    watch.remember(want("5000"), found("5000"));
    expect(watch.look(want("5000"), found("5000"), reassert)).toEqual([]);
    expect(watch.look(want("6000"), found("5000"), reassert)).toEqual([]);
    expect(watch.look(want("6000"), found("6000"), reassert)).toEqual([]);
    const drift = { target: "vcpu 0", setting: "bandwidth", file: KEY, applied: "5000", found: "777" };
    expect(watch.look(want("6000"), found("777"), reassert)).toEqual([drift]);
    expect(watch.look(want("6000"), found("777"), reassert)).toEqual([]);
    expect(watch.isLeft(write)).toBe(false);
  });

  it("is left to whoever wrote it until the plan changes, where that is configured", () => {
    const watch = new DriftWatch();
    watch.remember(want("5000"), found("5000"));
    expect(watch.look(want("5000"), found("777"), respect)).toHaveLength(1);
    expect(watch.isLeft(write)).toBe(true);
    watch.look(want("5000"), found("777"), respect);
    expect(watch.isLeft(write)).toBe(true);
    expect(watch.isLeft({ ...write, target: "vcpu 1" })).toBe(false);
    watch.look(want("5000"), found("777"), { ...respect, generation: 2 });
    expect(watch.isLeft(write)).toBe(false);
  });

  it("forgets what is not wanted any more", () => {
    const watch = new DriftWatch();
    watch.remember(want("5000"), found("5000"));
    watch.remember([], new Map());
    expect(watch.look(want("5000"), found("777"), reassert)).toEqual([]);
  });
});
