import { describe, expect, it } from "@jest/globals";
import {
  BUSY,
  QUIET,
  TestHost,
  bandwidthOf,
  cpus,
  cpusOf,
  guest,
  planOf,
  reasonCodes,
} from "../testing/hosts.ts";

const SCIENTIFIC = { class: "scientific", source: "metadata" } as const;
const promised = (
  slaCores: number,
): { declared: { class: "service"; slaCores: number; source: string } } => ({
  declared: { class: "service", slaCores, source: "metadata" },
});

describe("preset paper", () => {
  const host = (count: number): TestHost => new TestHost({ preset: "paper" }, { cpus: cpus(count) });

  it("holds services at their SLA and scientific guests at their share, by quotas alone", () => {
    const services = [guest(1, { run: 0.25 }, promised(1)), guest(2, { run: 0.1 })];
    const decision = host(4).tick([...services, guest(3, { run: 0.9, vcpus: 4 }, { declared: SCIENTIFIC })]);
    expect(bandwidthOf(decision, 1)).toEqual([0.5, 0.5]);
    expect(bandwidthOf(decision, 2)).toEqual(["baseline", "baseline"]);
    expect(bandwidthOf(decision, 3)).toEqual([0.825, 0.825, 0.825, 0.825]);
    for (const plan of decision.plan.guests) {
      expect(plan).toMatchObject({ weight: "baseline", emulatorCpus: "baseline" });
      expect(plan.vcpus.every((vcpu) => vcpu.cpus === "baseline")).toBe(true);
    }
    expect(planOf(decision, 3).periodUs).toBe(100_000);
    expect(planOf(decision, 2).periodUs).toBeUndefined();
  });

  it("lets a guest go that may have all that it can use", () => {
    const decision = host(8).tick([guest(1, BUSY, { declared: SCIENTIFIC }), guest(2, BUSY, promised(2))]);
    expect(bandwidthOf(decision, 1)).toEqual(["unlimited", "unlimited"]);
    expect(bandwidthOf(decision, 2)).toEqual(["unlimited", "unlimited"]);
  });

  it("does not give a pinned guest more than its CPUs, and needs no quota to hold it there", () => {
    const pinned = guest(1, { run: 1, vcpus: 4 }, { declared: SCIENTIFIC, allowedCpus: [0] });
    const decision = host(4).tick([pinned, guest(2, { run: 1, vcpus: 4 }, { declared: SCIENTIFIC })]);
    expect(bandwidthOf(decision, 1)).toEqual(["unlimited", "unlimited", "unlimited", "unlimited"]);
    expect(bandwidthOf(decision, 2)).toEqual([0.75, 0.75, 0.75, 0.75]);
  });

  it("gives the bandwidth to the vCPUs that want it, and the rest to the others", () => {
    const declared = { declared: SCIENTIFIC };
    const tight = host(2).tick([guest(1, { run: [1, 0.1, 0.1] }, declared)], { hostRun: 1 });
    expect(bandwidthOf(tight, 1)).toEqual([0.8, 0.1, 0.1]);
    const wide = host(2).tick([guest(1, { run: [1, 0.1, 0.1] }, declared)], { hostRun: 0.2 });
    expect(bandwidthOf(wide, 1)).toEqual([1, 0.4, 0.4]);
  });

  it("lets no vCPU fall below the minimum, whatever the share is rounded to", () => {
    const tight = new TestHost({ preset: "paper", minimumVcpuCores: 0.0123456 }, { cpus: cpus(2) });
    const decision = tight.tick([guest(1, BUSY, { declared: SCIENTIFIC })], { hostRun: 2 });
    expect(bandwidthOf(decision, 1)).toEqual([0.0123456, 0.0123456]);
  });
});

describe("preset default", () => {
  it("ranks scientific guests below services, without quotas; services without an SLA are left alone", () => {
    const host = new TestHost({}, { cpus: cpus(2) });
    const decision = host.tick([
      guest(1, BUSY, { declared: SCIENTIFIC }),
      guest(2, QUIET),
      guest(3, QUIET, promised(1)),
    ]);
    expect(planOf(decision, 1)).toMatchObject({ weight: "idle" });
    expect(bandwidthOf(decision, 1)).toEqual(["unlimited", "unlimited"]);
    expect(planOf(decision, 2)).toMatchObject({ weight: "baseline", emulatorCpus: "baseline" });
    expect(bandwidthOf(decision, 2)).toEqual(["baseline", "baseline"]);
    expect(bandwidthOf(decision, 3)).toEqual(["unlimited", "unlimited"]);
  });

  it("gives a scientific guest the weight that is worth its SLA when everybody is runnable", () => {
    const host = new TestHost({}, { cpus: cpus(4) });
    const batch = (n: number, slaCores: number): ReturnType<typeof guest> =>
      guest(n, { run: 1, vcpus: 4 }, { declared: { ...SCIENTIFIC, slaCores } });
    const services = [guest(1, { run: 1, vcpus: 4 }), guest(2, { run: 1, vcpus: 4 })];
    const decision = host.tick([...services, batch(3, 1), batch(4, 0.5)]);
    const [one, half] = [planOf(decision, 3).weight, planOf(decision, 4).weight].map(Number);
    const sum = services.length + (one ?? NaN) + (half ?? NaN);
    expect((4 * (one ?? NaN)) / sum).toBeCloseTo(1, 2);
    expect((4 * (half ?? NaN)) / sum).toBeCloseTo(0.5, 2);
  });

  it("holds scientific guests by quotas where they may not have all that is left", () => {
    const reserve = new TestHost({ reserveCores: 1 }, { cpus: cpus(4) });
    const decision = reserve.tick([guest(1, { run: 1, vcpus: 4 }, { declared: SCIENTIFIC })]);
    expect(bandwidthOf(decision, 1)).toEqual([0.75, 0.75, 0.75, 0.75]);

    const limit = new TestHost({ inferredShareMax: 0.25, beta: 0 }, { cpus: cpus(4) });
    const both = [guest(1, BUSY), guest(2, { run: 1, vcpus: 4 }, { declared: SCIENTIFIC })];
    const limited = limit.run(2, both);
    expect(bandwidthOf(limited, 1)).toEqual([0.5, 0.5]);
    expect(bandwidthOf(limited, 2)).toEqual(["unlimited", "unlimited", "unlimited", "unlimited"]);
  });
});

describe("CPUs in the preset default", () => {
  const batch = guest(1, BUSY, { declared: SCIENTIFIC });

  it("are whole ones for a scientific guest, and the others for everybody else and for its emulator", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    const decision = host.tick([batch, guest(2, QUIET)]);
    expect(cpusOf(decision, 1)).toEqual([[6], [7]]);
    expect(cpusOf(decision, 2)).toEqual([cpus(6), cpus(6)]);
    expect(planOf(decision, 1)).toMatchObject({ emulatorCpus: cpus(6), ioThreadCpus: cpus(6) });
    expect(reasonCodes(decision, 1)).toContain("cpus-alone");
  });

  it("stay as they were found where nobody has any alone; the report says why", () => {
    const host = new TestHost({}, { cpus: cpus(2) });
    const wide = guest(1, { run: 1, vcpus: 3 }, { declared: SCIENTIFIC });
    const decision = host.tick([wide, guest(2, QUIET)]);
    expect(cpusOf(decision, 1)).toEqual(["baseline", "baseline", "baseline"]);
    expect(planOf(decision, 1).reasons.at(-1)).toEqual({
      code: "no-exclusive-layout",
      text: "no CPUs to itself: 3 vCPUs on 2 CPUs have no exclusive layout",
    });
  });

  it("are not handed out where SLAs exceed the host", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    const decision = host.tick([
      batch,
      guest(2, { vcpus: 8 }, promised(6)),
      guest(3, { vcpus: 8 }, promised(6)),
    ]);
    expect(decision.report).toMatchObject({ oversubscribed: true });
    expect(cpusOf(decision, 1)).toEqual(["baseline", "baseline"]);
    expect(planOf(decision, 1).reasons.at(-1)?.text).toBe("no CPUs to itself: SLAs exceed the host");
  });

  it("are the same while services come and go, as long as their entitlements fit", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    const before = host.run(3, [batch, guest(2, QUIET)]);
    const now = host.run(3, [batch, guest(2, BUSY, promised(2)), guest(3, BUSY, promised(4))]);
    expect(cpusOf(now, 1)).toEqual(cpusOf(before, 1));
    expect(cpusOf(host.tick([batch, guest(2, { run: 0, vcpus: 7 })]), 1)).toEqual(["baseline", "baseline"]);
  });

  it("are not for one scientific guest what max-min fairness gives to another", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    const large = guest(1, { run: 1, vcpus: 5 }, { declared: SCIENTIFIC });
    const small = guest(2, { run: 1, vcpus: 2 }, { declared: SCIENTIFIC });
    const decision = host.tick([large, small, guest(3, BUSY, promised(2))]);
    expect(cpusOf(decision, 2)).toEqual([[6], [7]]);
    expect(cpusOf(decision, 1)[0]).toEqual(cpus(6));
    expect(planOf(decision, 1).reasons.at(-1)?.text).toContain("only 4.00 cores are left for its 5 vCPUs");
  });

  it("stay inside the pins of every guest", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    const pinned = guest(2, QUIET, { allowedCpus: [0, 1, 7] });
    const decision = host.tick([batch, pinned]);
    expect(cpusOf(decision, 1)).toEqual([[6], [7]]);
    expect(cpusOf(decision, 2)).toEqual([
      [0, 1],
      [0, 1],
    ]);
  });
});
