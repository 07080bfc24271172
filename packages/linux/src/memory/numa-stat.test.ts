import { describe, expect, it } from "@jest/globals";
import { memoryShares, parseNumaMaps, parseNumaStat } from "./numa-stat.ts";

const V1 = `total=300 N0=100 N1=200
file=40 N0=40 N1=0
anon=10 N0=10 N1=0
unevictable=0 N0=0 N1=0
hierarchical_total=1300 N0=340 N1=960
hierarchical_file=90 N0=90 N1=0
hierarchical_anon=1000 N0=200 N1=800
hierarchical_unevictable=210 N0=50 N1=160
`;
const V2 = `anon N0=1048576 N1=2097152
file N0=734003200 N1=0
kernel_stack N0=16384 N1=0
shmem N0=0 N1=1048576
anon_thp N0=0 N1=2097152
`;
const MAPS = `55d0 default file=/usr/bin/qemu-system-x86_64 mapped=100 active=0 N0=100 kernelpagesize_kB=4
7f00 bind:1 file=/dev/hugepages/libvirt/qemu/1-vm huge dirty=4 N1=3 N0=1 kernelpagesize_kB=2048
7f80 default anon=25 dirty=25 active=0 N0=5 N1=20 kernelpagesize_kB=4
7ffc default
`;

describe("memory by node", () => {
  it.each([
    ["v1: anonymous and locked, with the groups below", parseNumaStat(V1, 1), [250, 960]],
    ["v2: anonymous and shared, no page cache", parseNumaStat(V2, 2), [1048576, 3145728]],
    ["numa_maps: pages by their size", parseNumaMaps(MAPS), [2468, 6224]],
  ])("%s", (_what, amounts, expected) => {
    expect([amounts.get(0), amounts.get(1)]).toEqual(expected);
  });

  it("is shared out in hundredths, nothing where nothing is said", () => {
    expect(memoryShares(parseNumaStat(V2, 2))).toEqual([
      { node: 0, share: 0.25 },
      { node: 1, share: 0.75 },
    ]);
    expect(
      memoryShares(
        new Map([
          [3, 1000],
          [1, 1],
        ]),
      ),
    ).toEqual([{ node: 3, share: 1 }]);
    expect(memoryShares(parseNumaStat("nonsense", 1))).toEqual([]);
  });
});
