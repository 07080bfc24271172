import { describe, expect, it } from "@jest/globals";
import { BUSY, QUIET, TestHost, bandwidthOf, cpus, guest, planOf, reasonCodes } from "../testing/hosts.ts";

const SCIENTIFIC = { declared: { class: "scientific", source: "metadata" } } as const;
const promised = (slaCores: number, slaDelay?: number) =>
  ({
    declared: {
      class: "service",
      slaCores,
      source: "metadata",
      ...(slaDelay === undefined ? {} : { slaDelay }),
    },
  }) as const;

const limiting = (count = 2): TestHost => new TestHost({ serviceLimit: "sla" }, { cpus: cpus(count) });

describe("serviceLimit sla", () => {
  it("holds a service at its SLA while there is a scientific guest, and lets it go when that is gone", () => {
    const host = limiting(4);
    const both = host.tick([guest(1, BUSY, promised(1)), guest(2, BUSY, SCIENTIFIC)]);
    expect(bandwidthOf(both, 1)).toEqual([0.5, 0.5]);
    expect(planOf(both, 1).periodUs).toBe(100_000);
    expect(reasonCodes(both, 1)).toContain("sla-limit");
    const alone = host.tick([guest(1, BUSY, promised(1))]);
    expect(bandwidthOf(alone, 1)).toEqual(["unlimited", "unlimited"]);
    expect(reasonCodes(alone, 1)).not.toContain("sla-limit");
  });

  it("gives the vCPUs that want it the SLA, as preset paper does", () => {
    const decision = limiting(4).tick([
      guest(1, { run: [1, 0.1] }, promised(0.8)),
      guest(2, BUSY, SCIENTIFIC),
    ]);
    expect(bandwidthOf(decision, 1)).toEqual([0.7, 0.1]);
  });

  it.each([
    ["declared no SLA", {}, "baseline"],
    ["declared a delay as well", promised(1, 0.2), "unlimited"],
    ["was promised all that it can use", promised(2), "unlimited"],
  ])("leaves a service alone that %s", (_what, declared, bandwidth) => {
    const decision = limiting(4).tick([guest(1, QUIET, declared), guest(2, BUSY, SCIENTIFIC)]);
    expect(bandwidthOf(decision, 1)).toEqual([bandwidth, bandwidth]);
  });

  it("limits services alone: a scientific guest's own SLA is its floor", () => {
    const both = { declared: { class: "scientific", slaCores: 0.5, source: "metadata" } } as const;
    const decision = limiting(2).tick([guest(1, BUSY, promised(1)), guest(2, BUSY, both)]);
    expect(bandwidthOf(decision, 2)).toEqual(["unlimited", "unlimited"]);
  });

  it("says nothing under preset paper, whose quotas do the same", () => {
    const host = new TestHost({ preset: "paper", serviceLimit: "sla" }, { cpus: cpus(4) });
    const decision = host.tick([guest(1, BUSY, promised(1)), guest(2, BUSY, SCIENTIFIC)]);
    expect(bandwidthOf(decision, 1)).toEqual([0.5, 0.5]);
    expect(reasonCodes(decision, 1)).not.toContain("sla-limit");
  });

  it("is not asked for by default: services get all that they want", () => {
    const host = new TestHost({}, { cpus: cpus(4) });
    const decision = host.tick([guest(1, BUSY, promised(1)), guest(2, BUSY, SCIENTIFIC)]);
    expect(bandwidthOf(decision, 1)).toEqual(["unlimited", "unlimited"]);
  });

  it.each([
    ["more than its quota leaves it no room", "none", "no-exclusive-layout"],
    ["no more than its quota", "sla", "cpus-apart"],
  ] as const)("one CPU a vCPU begins beside a service that wants %s", (_what, serviceLimit, code) => {
    const host = new TestHost({ serviceLimit }, { cpus: cpus(2) });
    const decision = host.tick([guest(1, { run: 0.9, vcpus: 1 }, promised(0.3)), guest(2, BUSY, SCIENTIFIC)]);
    expect(reasonCodes(decision, 2)).toContain(code);
  });
});
