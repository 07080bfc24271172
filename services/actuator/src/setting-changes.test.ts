import { describe, expect, it } from "@jest/globals";
import type { GuestPlaces } from "@kvm-governor/linux";
import { settingChanges } from "./setting-changes.ts";

const places: GuestPlaces = {
  weight: { version: 1, dir: "/g" },
  bandwidth: new Map([0, 1].map((index) => [index, { version: 1, dir: `/g/vcpu${index}` }])),
  vcpuCpus: new Map([[0, { target: "vcpu 0", group: { version: 1, dir: "/s/vcpu0" }, tids: [5] }]]),
  emulatorCpus: { target: "emulator", tids: [7] },
  ioThreadCpus: [],
  mountPoints: [],
};

const values = (quota: string, idle: string, cpus: string, affinity: string): Map<string, string> =>
  new Map([
    ["/g/cpu.shares", idle === "1" ? "3" : "1024"],
    ["/g/cpu.idle", idle],
    ["/s/vcpu0/cpuset.cpus", cpus],
    ["affinity 7", affinity],
    ...[0, 1].flatMap((index): [string, string][] => [
      [`/g/vcpu${index}/cpu.cfs_quota_us`, quota],
      [`/g/vcpu${index}/cpu.cfs_period_us`, "20000"],
    ]),
  ]);

describe("changes for people", () => {
  it("are one line a setting, equal vCPUs together", () => {
    const changes = settingChanges(places, values("-1", "0", "0-1", "0-1"), values("5000", "1", "0", "1"));
    expect(changes).toEqual([
      { event: "quota-changed", target: "vcpu 0,1", old: "none", new: "0.25 cores (5000/20000)" },
      { event: "weight-changed", target: "guest", old: "1024", new: "idle" },
      { event: "cpus-changed", target: "vcpu 0", old: "0-1", new: "0" },
      { event: "cpus-changed", target: "emulator", old: "0-1", new: "1" },
    ]);
  });

  it("are none where nothing changed", () => {
    const same = values("-1", "0", "0-1", "0-1");
    expect(settingChanges(places, same, same)).toEqual([]);
  });
});
