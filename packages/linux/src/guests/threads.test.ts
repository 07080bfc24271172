import { describe, expect, it } from "@jest/globals";
import { sortThreads, UnknownThreadsError } from "./threads.ts";

const threads = (names: Record<number, string>): { tid: number; comm: string }[] =>
  Object.entries(names).map(([tid, comm]) => ({ tid: Number(tid), comm }));

const REAL = threads({
  10: "qemu-system-x86",
  12: "IO mon_iothread",
  13: "IO iothread2",
  14: "IO iothread1",
  15: "CPU 1/KVM",
  16: "CPU 0/KVM",
  17: "vhost-10",
  18: "worker",
});

describe("sortThreads", () => {
  it("tells vCPUs, I/O threads and all others by name", () => {
    expect(sortThreads(REAL)).toEqual({
      vcpus: [
        { index: 0, tid: 16 },
        { index: 1, tid: 15 },
      ],
      ioThreads: [
        { id: 1, tid: 14 },
        { id: 2, tid: 13 },
      ],
      emulatorTids: [10, 12, 17, 18],
    });
  });

  it("knows emulated vCPUs, of large indices too", () => {
    expect(sortThreads(threads({ 1: "CPU 12345/TCG" })).vcpus).toEqual([{ index: 12345, tid: 1 }]);
  });

  it("does not take names that only look alike for vCPUs", () => {
    const lookalikes = threads({
      1: "CPU 0/KVM",
      2: "CPU 1",
      3: "xCPU 1/KVM",
      4: "CPU 1/KVMx",
      5: "CPU -1/KVM",
    });
    expect(sortThreads(lookalikes).vcpus).toHaveLength(1);
  });

  it("takes libvirt's word where threads have no names, but only for threads that live", () => {
    const unnamed = threads({ 1: "qemu", 2: "qemu", 3: "qemu" });
    const known = [
      { index: 0, tid: 2 },
      { index: 1, tid: 99 },
    ];
    expect(sortThreads(unnamed, known)).toMatchObject({
      vcpus: [{ index: 0, tid: 2 }],
      emulatorTids: [1, 3],
    });
  });

  it("sees a vCPU that was just plugged and is not in libvirt's file yet", () => {
    expect(sortThreads(REAL, [{ index: 0, tid: 16 }]).vcpus).toHaveLength(2);
  });

  it("lets libvirt say which of two threads of one name is the vCPU", () => {
    const inherited = threads({ 1: "qemu", 2: "CPU 0/KVM", 3: "CPU 0/KVM" });
    expect(sortThreads(inherited, [{ index: 0, tid: 3 }])).toMatchObject({
      vcpus: [{ index: 0, tid: 3 }],
      emulatorTids: [1, 2],
    });
  });

  it.each([
    ["two threads of one name", threads({ 2: "CPU 0/KVM", 3: "CPU 0/KVM" }), [], /2 and 3 are both/],
    [
      "two of one name, libvirt's being dead",
      threads({ 2: "CPU 0/KVM", 3: "CPU 0/KVM" }),
      [{ index: 0, tid: 9 }],
      /both/,
    ],
    ["names against libvirt", threads({ 2: "CPU 0/KVM" }), [{ index: 1, tid: 2 }], /vCPU 1.*vCPU 0/],
    ["debug-threads=off", threads({ 1: "qemu", 2: "qemu" }), [], /debug-threads=off/],
    ["one thread for all", threads({ 1: "qemu", 2: "ALL CPUs/TCG" }), [], /share one thread/],
  ])("guesses nothing: %s", (_what, all, known, message) => {
    expect(() => sortThreads(all, known)).toThrow(UnknownThreadsError);
    expect(() => sortThreads(all, known)).toThrow(message);
  });

  it("says where waiting may help", () => {
    const mayAppear = (all: { tid: number; comm: string }[]): boolean => {
      try {
        sortThreads(all);
      } catch (error) {
        return error instanceof UnknownThreadsError && error.mayAppear;
      }
      return false;
    };
    expect(mayAppear(threads({ 1: "qemu" }))).toBe(true);
    expect(mayAppear(threads({ 1: "ALL CPUs/TCG" }))).toBe(false);
  });
});
