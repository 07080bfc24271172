import { describe, expect, it } from "@jest/globals";
import type { GuestPlan } from "@kvm-governor/policy";
import fc from "fast-check";
import { isRolledOut, limitPlan, limitsSchema, type LimitContext } from "./index.ts";

const UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";

function plan(
  overrides: Partial<GuestPlan> = {},
  bandwidths: GuestPlan["vcpus"][number]["bandwidth"][] = [0.2, 0.6],
) {
  return {
    uuid: UUID,
    name: "web-1",
    pid: 1,
    startTime: 1,
    class: "scientific",
    count: 0,
    since: 0,
    vcpus: bandwidths.map((bandwidth, index) => ({ index, bandwidth, cpus: [0, 1] })),
    weight: 1,
    emulatorCpus: [0],
    ioThreadCpus: "baseline",
    reasons: [],
    ...overrides,
  } satisfies GuestPlan;
}

const context = (limits: object, overrides: Partial<LimitContext> = {}): LimitContext => ({
  limits: limitsSchema.parse(limits),
  now: new Map(),
  onlineCpus: () => [0, 1, 2, 3],
  last: undefined,
  nowMs: 0,
  ...overrides,
});

const bandwidths = ({ vcpus }: GuestPlan) => vcpus.map(({ bandwidth }) => bandwidth);
const guests = (limits: object) => ({ guests: [{ guest: "web-*", ...limits }] });

describe("limits of one guest", () => {
  it("raise the smallest vCPUs to the floor, and say so", () => {
    const limited = limitPlan(plan(), context(guests({ floorCores: 1 })));
    expect(bandwidths(limited.plan)).toEqual([0.4, 0.6]);
    expect(limited.bounds).toMatchObject([{ kind: "floor", setting: "bandwidth", target: "guest" }]);
    expect(limited.bounds[0]?.text).toBe("0.8 cores is below the guest's floor of 1 cores: raised to it");
    expect(bandwidths(limitPlan(plan(), context(guests({ floorCores: 9 }))).plan)).toEqual([1, 1]);
  });

  it("cut the largest vCPUs to the ceiling, those without a limit too", () => {
    const limited = limitPlan(plan({}, [0.2, "unlimited"]), context(guests({ ceilingCores: 1 })));
    expect(bandwidths(limited.plan)).toEqual([0.2, 0.8]);
    expect(limited.bounds).toMatchObject([{ kind: "ceiling" }]);
  });

  it("leave a guest without quota that its CPU set holds below the ceiling", () => {
    const limited = limitPlan(plan({}, ["unlimited", "unlimited"]), context(guests({ ceilingCores: 2 })));
    expect(limited).toEqual({ plan: plan({}, ["unlimited", "unlimited"]), bounds: [] });
  });

  it("do not hold what a plan leaves as it was found", () => {
    const limited = limitPlan(plan({}, ["baseline", "baseline"]), context(guests({ ceilingCores: 0.5 })));
    expect(limited.bounds).toEqual([]);
  });

  it("keep vCPUs where they were found when the planned CPUs are too few for the floor", () => {
    const narrow = plan({ vcpus: [0, 1].map((index) => ({ index, bandwidth: 1, cpus: [3] })) });
    const limited = limitPlan(narrow, context(guests({ floorCores: 1.5 })));
    expect(limited.plan.vcpus.map(({ cpus }) => cpus)).toEqual(["baseline", "baseline"]);
    expect(limited.bounds).toMatchObject([{ kind: "floor", setting: "cpus" }]);
  });

  it("by UUID rank above those by name", () => {
    const limits = {
      guests: [
        { guest: "*", ceilingCores: 0.1 },
        { guest: UUID.toUpperCase(), ceilingCores: 0.5 },
      ],
    };
    expect(bandwidths(limitPlan(plan(), context(limits)).plan)).toEqual([0.2, 0.3]);
  });

  it("hold whatever is planned", () => {
    const bandwidth = fc.oneof(fc.constant("unlimited" as const), fc.double({ min: 0, max: 2, noNaN: true }));
    const limits = fc.tuple(
      fc.double({ min: 0, max: 4, noNaN: true }),
      fc.double({ min: 0.01, max: 4, noNaN: true }),
    );
    fc.assert(
      fc.property(fc.array(bandwidth, { minLength: 1, maxLength: 4 }), limits, (wished, [a, b]) => {
        const [floorCores, ceilingCores] = [Math.min(a, b), Math.max(a, b)];
        const spread = plan({ emulatorCpus: "baseline" }, wished);
        spread.vcpus = spread.vcpus.map((vcpu) => ({ ...vcpu, cpus: [0, 1, 2, 3] }));
        const limited = limitPlan(spread, context(guests({ floorCores, ceilingCores })));
        const cores = bandwidths(limited.plan).map((one) => (typeof one === "number" ? Math.min(1, one) : 1));
        const total = cores.reduce((sum, one) => sum + one, 0);
        expect(total).toBeGreaterThanOrEqual(Math.min(floorCores, wished.length) - 1e-9);
        // Four CPUs are no more than a ceiling of four.
        if (ceilingCores < 4) expect(total).toBeLessThanOrEqual(ceilingCores + 1e-9);
      }),
    );
  });
});

describe("CPUs of the host", () => {
  it("are taken out of every set; one that had no others gets all that are not the host's", () => {
    const wish = plan({
      vcpus: [{ index: 0, bandwidth: 1, cpus: [0, 2] }],
      emulatorCpus: [0],
      ioThreadCpus: [1],
    });
    const { plan: limited, bounds } = limitPlan(wish, context({ hostCpus: "0-1" }));
    expect(limited.vcpus[0]?.cpus).toEqual([2]);
    expect(limited.emulatorCpus).toEqual([2, 3]);
    expect(limited.ioThreadCpus).toEqual([2, 3]);
    expect(bounds.map(({ target, kind }) => `${target} ${kind}`)).toEqual([
      "vcpu 0 host-cpus",
      "emulator host-cpus",
      "iothreads host-cpus",
    ]);
  });

  it("that are all there are leave guests as they were found", () => {
    const { plan: limited } = limitPlan(plan(), context({ hostCpus: "0-3" }));
    expect(limited.vcpus.map(({ cpus }) => cpus)).toEqual(["baseline", "baseline"]);
  });

  it("must be a list of CPUs", () => {
    expect(limitsSchema.parse({ hostCpus: 0 }).hostCpus).toEqual([0]);
    expect(() => limitsSchema.parse({ hostCpus: "3-1" })).toThrow("runs backwards");
  });
});

describe("the largest raise in one tick", () => {
  const now = new Map([
    [0, 0.1],
    [1, 0.9],
  ]);

  it("holds gains of its class, never losses", () => {
    const limits = { stepUpCores: { scientific: 0.25 } };
    const limited = limitPlan(plan({}, [0.8, 0.2]), context(limits, { now }));
    expect(bandwidths(limited.plan)).toEqual([0.35, 0.2]);
    expect(limited.bounds).toMatchObject([{ kind: "step", target: "vcpu 0" }]);
    expect(
      bandwidths(limitPlan(plan({ class: "service" }, [0.8, 0.2]), context(limits, { now })).plan),
    ).toEqual([0.8, 0.2]);
  });

  it("counts no limit as a whole CPU, and is never below the floor", () => {
    const limits = { stepUpCores: { scientific: 0.25 }, ...guests({ floorCores: 1.5 }) };
    expect(
      bandwidths(limitPlan(plan({}, ["unlimited", "unlimited"]), context(limits, { now })).plan),
    ).toEqual([0.5, "unlimited"]);
  });
});

describe("cool-down", () => {
  const last = { plan: plan(), atMs: 1000 };
  const limits = { coolDownMs: 500 };
  const after = (wish: GuestPlan, nowMs: number) => limitPlan(wish, context(limits, { last, nowMs }));

  it("keeps a scientific guest from gaining, for as long as it lasts", () => {
    const wish = plan({}, [0.5, 0.6]);
    const early = after(wish, 1499);
    expect(early.plan).toBe(last.plan);
    expect(early.bounds).toMatchObject([{ kind: "cool-down" }]);
    expect(after(wish, 1500)).toEqual({ plan: wish, bounds: [] });
  });

  it.each([
    ["a scientific guest that loses", plan({}, [0.1, 0.6])],
    ["one that changes sides", plan({ class: "service" })],
    [
      "one that is taken off a CPU",
      plan({ vcpus: [0, 1].map((index) => ({ index, bandwidth: 1, cpus: [0] })) }),
    ],
    ["one that ranks lower", plan({ weight: "idle" })],
  ])("does not keep %s", (_, wish) => {
    expect(after(wish, 1001)).toEqual({ plan: wish, bounds: [] });
  });

  it("lets a service gain, and keeps it from losing", () => {
    const service = { plan: plan({ class: "service" }), atMs: 0 };
    const at = (wish: GuestPlan) => limitPlan(wish, context(limits, { last: service, nowMs: 1 })).plan;
    const more = plan({ class: "service" }, [0.9, 0.6]);
    expect(at(more)).toBe(more);
    expect(at(plan({ class: "service" }, [0.1, 0.6]))).toBe(service.plan);
  });
});

describe("roll-out by percentage", () => {
  const uuids = Array.from(
    { length: 2000 },
    (_, at) => `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`,
  );

  it("takes about that part, always the same guests, and only more as it grows", () => {
    const at = (percent: number) => uuids.filter((uuid) => isRolledOut(uuid, percent));
    expect(at(0)).toEqual([]);
    expect(at(100)).toEqual(uuids);
    const [ten, thirty] = [at(10), at(30)];
    expect(ten.length).toBeGreaterThan(150);
    expect(ten.length).toBeLessThan(250);
    expect(thirty).toEqual(expect.arrayContaining(ten));
  });
});

it("a floor above the ceiling is refused", () => {
  expect(() => limitsSchema.parse(guests({ floorCores: 2, ceilingCores: 1 }))).toThrow("floorCores is above");
});
