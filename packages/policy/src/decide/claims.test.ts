import { describe, expect, it } from "@jest/globals";
import { cpus, guest } from "../testing/hosts.ts";
import { claimsOf } from "./claims.ts";

const partsOf = (...guests: ReturnType<typeof guest>[]) =>
  Object.fromEntries(claimsOf(guests, cpus(16)).parts);
const pinned = (pins: readonly number[][], rest = {}) => {
  const exempt = guest(1, { run: pins.map(() => 0.5) }, rest);
  exempt.vcpus = exempt.vcpus.map((vcpu, i) => ({ ...vcpu, allowedCpus: pins[i] ?? [] }));
  return exempt;
};

describe("claimsOf", () => {
  it.each([
    ["a dedicated guest owns its CPUs", [pinned([[3], [5]])], { 3: 1, 5: 1 }],
    [
      "so it does where only the guest's own pins are told",
      [guest(1, {}, { allowedCpus: [3, 5] })],
      { 3: 1, 5: 1 },
    ],
    [
      "a vCPU on four CPUs has a quarter of each",
      [pinned([[4, 5, 6, 7]])],
      { 4: 0.25, 5: 0.25, 6: 0.25, 7: 0.25 },
    ],
    [
      "two on two have both",
      [
        pinned([
          [4, 5],
          [4, 5],
        ]),
      ],
      { 4: 1, 5: 1 },
    ],
    ["never more than the CPU", [pinned([[4], [4]])], { 4: 1 }],
    ["CPUs that guests may not use do not matter", [pinned([[4, 30]])], { 4: 0.5 }],
    ["wide pins claim nothing", [pinned([cpus(9)])], {}],
    ["nor does a guest without pins", [guest(1)], {}],
  ])("%s", (_what, guests, expected) => {
    expect(partsOf(...guests)).toEqual(expected);
  });

  it("counts what claimants use there, and only that", () => {
    const guests = [pinned([[3], [30], cpus(9)]), guest(2, { run: 0.9 })];
    expect(claimsOf(guests, cpus(16)).usedCores).toBe(0.5);
  });
});
