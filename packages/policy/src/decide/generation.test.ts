import { describe, expect, it } from "@jest/globals";
import { BUSY, QUIET, TestHost, bandwidthOf, cpus, guest } from "../testing/hosts.ts";

describe("generation and expiry", () => {
  it("keeps the generation and renews the expiry while nothing changes", () => {
    const host = new TestHost({ planTtlMs: 7000 });
    const first = host.tick([guest(1, QUIET)]);
    const later = host.run(9, [guest(1, { run: 0.1 })]);
    expect(first.plan.generation).toBe(1);
    expect(later.plan.generation).toBe(1);
    expect(later.report.changed).toBe(false);
    expect(later.plan.expiresAtUs).toBe(first.plan.expiresAtUs + 9_000_000);
    expect(later.plan.expiresAtUs).toBe(later.plan.sequence + 7_000_000);
  });

  it("counts on from the highest known, also where the last plan is lost", () => {
    const host = new TestHost();
    host.run(3, [guest(1)]);
    const { plan: _lost, ...rest } = host.state ?? { generation: 0 };
    host.state = { ...rest, generation: 41 } as NonNullable<typeof host.state>;
    expect(host.tick([guest(1)]).plan.generation).toBe(42);
  });

  it("begins a new one when the preset changes", () => {
    const host = new TestHost();
    host.run(2, [guest(1)]);
    const other = new TestHost({ preset: "paper" });
    other.state = host.state;
    other.ticks = host.ticks;
    expect(other.tick([guest(1)]).plan).toMatchObject({ generation: 2, preset: "paper" });
  });

  it("stays within the dead band: small changes of the share are not written", () => {
    const host = new TestHost({ preset: "paper", deadBandCores: 0.05 }, { cpus: cpus(2) });
    const load = (run: number): ReturnType<typeof guest>[] => [guest(1, BUSY), guest(2, { run: [run] })];
    const before = host.run(20, load(0.5));
    expect(bandwidthOf(before, 1)).toEqual([0.75, 0.75]);
    const near = host.run(5, load(0.58));
    expect(near.plan.generation).toBe(before.plan.generation);
    expect(near.report.availableCores).toBe(1.42);
    const far = host.run(5, load(0.62));
    expect(bandwidthOf(far, 1)).toEqual([0.69, 0.69]);
    expect(far.plan.generation).toBe(before.plan.generation + 1);
  });

  it("does not go to and fro between a full share and nearly one", () => {
    const host = new TestHost({ preset: "paper" }, { cpus: cpus(4) });
    host.run(20, [guest(1, BUSY), guest(2)]);
    const { generation } = host.tick([guest(1, BUSY), guest(2)]).plan;
    for (let i = 0; i < 10; i++) {
      const now = host.tick([guest(1, BUSY), guest(2)], { hostRun: i % 2 === 0 ? 2.04 : 0 });
      expect(bandwidthOf(now, 1)).toEqual(["unlimited", "unlimited"]);
      expect(now.plan.generation).toBe(generation);
    }
  });
});
