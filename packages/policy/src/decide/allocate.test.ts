import { describe, expect, it } from "@jest/globals";
import { presetSettings } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { cpus } from "../testing/hosts.ts";
import { allocate } from "./allocate.ts";
import type { Allocation, Claimant } from "./allocate.ts";

type Some = Partial<Claimant> & Pick<Claimant, "vcpus">;

const service = (claim: Some): Claimant => claimant("service", claim);
const scientific = (claim: Some): Claimant => claimant("scientific", claim);

function claimant(kind: Claimant["class"], claim: Some): Claimant {
  return {
    class: kind,
    mostCores: claim.vcpus,
    demandCores: 0,
    slaCores: undefined,
    inferred: true,
    ...claim,
  };
}

function divide(
  claimants: Claimant[],
  { on = 16, other = 0, ...settings }: Partial<Settings> & { on?: number; other?: number } = {},
): Allocation {
  return allocate(claimants, cpus(on), other, presetSettings("paper", settings));
}

describe("allocate_SLA", () => {
  it("gives a service what it was promised, at most its vCPUs and the host", () => {
    const claims = [{ slaCores: 1.5 }, { slaCores: 9 }, { slaCores: 20, vcpus: 32 }];
    const entitled = claims.map((claim) => divide([service({ vcpus: 4, ...claim })]).entitlements[0]);
    expect(entitled).toEqual([1.5, 4, 16]);
  });

  it("takes a service without an SLA to be promised its vCPUs, within its pins", () => {
    expect(divide([service({ vcpus: 4 })]).entitlements).toEqual([4]);
    expect(divide([service({ vcpus: 32 })]).entitlements).toEqual([16]);
    expect(divide([service({ vcpus: 4, mostCores: 2 })]).entitlements).toEqual([2]);
  });

  it("scales SLAs that sum to more than the host, each alike", () => {
    const { entitlements, slaScale, oversubscribed } = divide(
      [service({ vcpus: 4, slaCores: 3 }), service({ vcpus: 4, slaCores: 2 }), service({ vcpus: 2 })],
      { on: 4 },
    );
    expect({ slaScale, oversubscribed }).toEqual({ slaScale: 0.8, oversubscribed: true });
    expect(entitlements[0]).toBeCloseTo(2.4);
    expect(entitlements[1]).toBeCloseTo(1.6);
    expect(entitlements[2]).toBe(2);
  });

  it("counts of an SLA only what the guest can use, before and after it is scaled", () => {
    const claims = [service({ vcpus: 1, slaCores: 50 }), service({ vcpus: 4, slaCores: 2 })];
    expect(divide(claims, { on: 4 })).toMatchObject({ slaScale: 1, entitlements: [1, 2] });
    const { entitlements } = divide(claims, { on: 2 });
    expect((entitlements[0] ?? 0) + (entitlements[1] ?? 0)).toBeCloseTo(2, 5);
  });

  it("counts scientific SLAs and the reserve among the promises", () => {
    const claims = [service({ vcpus: 2, slaCores: 2 }), scientific({ vcpus: 2, slaCores: 2 })];
    expect(divide(claims, { on: 4 }).oversubscribed).toBe(false);
    expect(divide(claims, { on: 4, reserveCores: 1 })).toMatchObject({
      oversubscribed: true,
      slaScale: 0.75,
    });
  });

  it("does not take SLAs that fill the host exactly for too many", () => {
    const claims = [0.4, 0.8, 0.6, 0.2].map((slaCores) => service({ vcpus: 1, slaCores }));
    expect(divide(claims, { on: 2 })).toMatchObject({ oversubscribed: false, slaScale: 1 });
    expect(divide(claims.reverse(), { on: 2 })).toMatchObject({ oversubscribed: false, slaScale: 1 });
  });
});

describe("allocate_PR", () => {
  const light = service({ vcpus: 2, demandCores: 0.5 });

  it("divides what services, host and others leave, in equal parts (paper)", () => {
    const { entitlements, availableCores } = divide(
      [light, scientific({ vcpus: 16 }), scientific({ vcpus: 16 })],
      { other: 1.5 },
    );
    expect(availableCores).toBe(14);
    expect(entitlements).toEqual([2, 7, 7]);
  });

  it("gives to the others what one cannot use", () => {
    const few = scientific({ vcpus: 2 });
    expect(divide([light, few, scientific({ vcpus: 16 })]).entitlements).toEqual([2, 2, 13.5]);
    const pinned = scientific({ vcpus: 16, mostCores: 3 });
    expect(divide([light, pinned, scientific({ vcpus: 16 })]).entitlements).toEqual([2, 3, 12.5]);
  });

  it("subtracts of a service's demand at most what it is entitled to", () => {
    const greedy = service({ vcpus: 8, slaCores: 2, demandCores: 8 });
    expect(divide([greedy, scientific({ vcpus: 16 })]).availableCores).toBe(14);
  });

  it("keeps a scientific guest's own SLA as its floor", () => {
    const promised = scientific({ vcpus: 4, slaCores: 3 });
    const claims = [promised, scientific({ vcpus: 4 }), service({ vcpus: 12, demandCores: 12 })];
    expect(divide(claims).entitlements).toEqual([3, 1, 12]);
    const full = [promised, service({ vcpus: 16, demandCores: 16 })];
    expect(divide(full)).toMatchObject({ availableCores: 0, entitlements: [3, 16] });
  });

  it("leaves each vCPU the least that keeps it alive, even where nothing is left", () => {
    const { entitlements } = divide([scientific({ vcpus: 4 })], { other: 40, minimumVcpuCores: 0.05 });
    expect(entitlements).toEqual([0.2]);
  });

  it("keeps the reserve", () => {
    expect(divide([scientific({ vcpus: 16 })], { reserveCores: 2 }).availableCores).toBe(14);
    expect(divide([scientific({ vcpus: 16 })], { reserveCores: 99 }).availableCores).toBe(0);
  });

  it("says what is assured when every service takes all that it may", () => {
    const { entitlements, assured } = divide([
      service({ vcpus: 4, slaCores: 3, demandCores: 0 }),
      service({ vcpus: 2, demandCores: 0 }),
      scientific({ vcpus: 16 }),
    ]);
    expect(entitlements).toEqual([3, 2, 16]);
    expect(assured).toEqual([3, 2, 11]);
  });

  it("leaves no trace of the order in which guests are added up", () => {
    const claims = [0.1, 0.2, 0.3, 0.7, 1.1].map((demandCores) => service({ vcpus: 2, demandCores }));
    const one = divide([...claims, scientific({ vcpus: 16 })]).availableCores;
    const other = divide([scientific({ vcpus: 16 }), ...claims.reverse()]).availableCores;
    expect(other).toBe(one);
  });
});

describe("the limit on inferred guests", () => {
  const spinner = scientific({ vcpus: 8 });
  const declared = scientific({ vcpus: 16, inferred: false });

  it("holds inferred guests together to their part of the host; the declared get the rest", () => {
    const { entitlements, inferredLimited } = divide([spinner, spinner, declared], {
      inferredShareMax: 0.25,
    });
    expect(inferredLimited).toBe(true);
    expect(entitlements).toEqual([2, 2, 12]);
  });

  it("is not in force where they would not get more anyway", () => {
    const { entitlements, inferredLimited } = divide([spinner, declared], { inferredShareMax: 0.5 });
    expect(inferredLimited).toBe(false);
    expect(entitlements).toEqual([8, 8]);
  });

  it("leaves them alive at a limit of 0", () => {
    expect(divide([spinner], { inferredShareMax: 0 }).entitlements).toEqual([0.4]);
  });
});
