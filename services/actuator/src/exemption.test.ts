import { describe, expect, it } from "@jest/globals";
import type { Guest } from "@kvm-governor/linux";
import { NO_RULES } from "@kvm-governor/policy";
import { exemptionOf } from "./exemption.ts";

const guest: Guest = {
  uuid: "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11",
  name: "web-1",
  source: "libvirt",
  pid: 4321,
  startTime: 1,
  state: "running",
  vcpus: [],
  ioThreads: [],
  emulatorTids: [],
};
const none = { rules: NO_RULES, neverTouch: [], rollOutPercent: 100, handsOff: undefined };

describe("guests that are left alone on this host", () => {
  it("are few", () => {
    expect(exemptionOf(guest, none)).toBeUndefined();
    expect(exemptionOf(guest, { ...none, neverTouch: ["db-*"] })).toBeUndefined();
  });

  it.each([["web-*"], ["6F1D3A3C-0A3B-4C39-9D8E-0E6F2B3D8B11"]])("by name pattern or UUID: %s", (entry) => {
    expect(exemptionOf(guest, { ...none, neverTouch: [entry] })?.reason).toMatch("neverTouch");
  });

  it("by declaration, in the policy file or the metadata", () => {
    const rules = { rules: [{ match: { name: "web-*" }, class: "exempt" as const }] };
    expect(exemptionOf(guest, { ...none, rules })?.reason).toMatch("rule 1");
    expect(
      exemptionOf({ ...guest, metadata: { class: "exempt", source: "metadata" } }, none)?.reason,
    ).toMatch("metadata");
  });

  it("by default, unless their class is declared", () => {
    const pinned: Guest = { ...guest, exemptReason: "dedicated" };
    expect(exemptionOf(pinned, none)?.reason).toMatch("dedicated");
    const metadata = { class: "auto", source: "metadata" } as const;
    expect(exemptionOf({ ...pinned, metadata }, none)?.reason).toMatch("dedicated");
    const catchAll = { rules: [{ match: { name: "*" }, slaCores: 1 }] };
    expect(exemptionOf(pinned, { ...none, rules: catchAll })?.reason).toMatch("dedicated");
    const rules = { rules: [{ match: { name: "web-1" }, class: "service" as const }] };
    expect(exemptionOf(pinned, { ...none, rules })).toBeUndefined();
  });

  it("when it is this very process", () => {
    expect(exemptionOf({ ...guest, pid: process.pid }, none)?.reason).toMatch("itself");
  });
});
