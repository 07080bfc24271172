import { describe, expect, it } from "@jest/globals";
import type { GuestPlaces } from "../controls/places.ts";
import { configuredBaseline } from "./configured.ts";

const places = (version: 1 | 2): GuestPlaces => ({
  weight: { version, dir: "/cpu/g" },
  bandwidth: new Map([[0, { version, dir: "/cpu/g/vcpu0" }]]),
  vcpuCpus: new Map([
    [0, { target: "vcpu 0", group: { version, dir: "/set/g/vcpu0" }, tids: [5] }],
    [1, { target: "vcpu 1", tids: [6] }],
  ]),
  emulatorCpus: { target: "emulator", group: { version, dir: "/set/g/emulator" }, tids: [4] },
  ioThreadCpus: [],
  mountPoints: [],
});

const none = { vcpuPins: new Map<number, number[]>(), ioThreadPins: new Map<number, number[]>() };

const v1 = new Map([
  ["/cpu/g/cpu.shares", "3"],
  ["/cpu/g/cpu.idle", "1"],
  ["/cpu/g/vcpu0/cpu.cfs_quota_us", "6000"],
  ["/cpu/g/vcpu0/cpu.cfs_period_us", "20000"],
  ["/set/g/cpuset.cpus", "0-3"],
]);

const texts = (values: ReturnType<typeof configuredBaseline>): Record<string, string> =>
  Object.fromEntries(values.map(({ key, text }) => [key, text]));

describe("the configuration as baseline", () => {
  it("is the kernel's defaults and the parent's CPUs where it says nothing", () => {
    expect(texts(configuredBaseline(none, places(1), v1, [0, 1, 2, 3]))).toEqual({
      "/cpu/g/cpu.shares": "1024",
      "/cpu/g/cpu.idle": "0",
      "/cpu/g/vcpu0/cpu.cfs_quota_us": "-1",
      "/cpu/g/vcpu0/cpu.cfs_period_us": "100000",
      "/set/g/vcpu0/cpuset.cpus": "0-3",
      "/set/g/emulator/cpuset.cpus": "0-3",
      "affinity 6": "0-3",
    });
  });

  it("is what the guest's definition asks for", () => {
    const configured = {
      shares: 512,
      vcpuQuotaUs: 80_000,
      vcpuPeriodUs: 200_000,
      vcpuPins: new Map([
        [0, [1, 2]],
        [1, [3]],
      ]),
      emulatorPin: [0],
      ioThreadPins: new Map<number, number[]>(),
    };
    expect(texts(configuredBaseline(configured, places(1), v1, [0, 1, 2, 3]))).toMatchObject({
      "/cpu/g/cpu.shares": "512",
      "/cpu/g/vcpu0/cpu.cfs_quota_us": "80000",
      "/cpu/g/vcpu0/cpu.cfs_period_us": "200000",
      "/set/g/vcpu0/cpuset.cpus": "1-2",
      "/set/g/emulator/cpuset.cpus": "0",
      "affinity 6": "3",
    });
  });

  it("takes a negative quota for none, and v2's own words", () => {
    const v2 = new Map([
      ["/cpu/g/cpu.weight", "0"],
      ["/cpu/g/cpu.idle", "1"],
      ["/cpu/g/vcpu0/cpu.max", "6000 20000"],
    ]);
    expect(texts(configuredBaseline({ ...none, vcpuQuotaUs: -1 }, places(2), v2, [0, 1]))).toEqual({
      "/cpu/g/cpu.weight": "100",
      "/cpu/g/cpu.idle": "0",
      "/cpu/g/vcpu0/cpu.max": "max 100000",
      "/set/g/vcpu0/cpuset.cpus": "",
      "/set/g/emulator/cpuset.cpus": "",
      "affinity 6": "0-1",
    });
  });
});
