/** Random plans one after the other, on the models and on the real kernel: what holds after every single write. */
import { describe, expect, it } from "@jest/globals";
import { readFileSync } from "node:fs";
import { parseCpuList, type GuestPlan } from "@kvm-governor/policy";
import fc from "fast-check";
import { bandwidthOf, ratioOf } from "./bandwidth.ts";
import { cpusetKey } from "./cpuset.ts";
import { executeWrites } from "./execute.ts";
import { readValues, type ControlIo } from "./kernel-io.ts";
import { boundKeys, cpusPlaces, settableKeys } from "./places.ts";
import { planWrites } from "./plan-writes.ts";
import { restoreWrites, type BaselineValue } from "./restore-writes.ts";
import { ALL_KINDS, type Harness } from "./testing/harness.ts";
import type { Values } from "./write.ts";

type TestPlan = Pick<GuestPlan, "vcpus" | "weight" | "emulatorCpus" | "ioThreadCpus" | "periodUs">;

const FLOOR_CORES = 0.05;
const EPSILON = 1e-6;

const online = (version: string): number[] =>
  version.startsWith("real")
    ? parseCpuList(readFileSync("/sys/devices/system/cpu/online", "utf8"))
    : [0, 1, 2, 3];

function plans(cpus: number[]): fc.Arbitrary<TestPlan[]> {
  // Single CPUs often: vCPUs that trade places are what may crowd them.
  const set = fc.oneof(fc.constant("baseline" as const), fc.subarray(cpus, { minLength: 1 }), {
    arbitrary: fc.constantFrom<number[]>([0], [1]),
    weight: 3,
  });
  const bandwidth = fc.oneof(
    fc.constantFrom("baseline" as const, "unlimited" as const),
    fc.double({ min: 0, max: 1.5, noNaN: true }),
  );
  const weight = fc.oneof(
    fc.constantFrom("baseline" as const, "idle" as const),
    fc.double({ min: 0.001, max: 1000, noNaN: true }),
  );
  const vcpus = fc
    .tuple(fc.record({ bandwidth, cpus: set }), fc.record({ bandwidth, cpus: set }))
    .map((both) => both.map((vcpu, index) => ({ index, ...vcpu })));
  const periodUs = fc.option(fc.integer({ min: 1000, max: 1_000_000 }), { nil: undefined });
  const one = fc
    .record({ vcpus, weight, emulatorCpus: set, periodUs })
    .map(({ periodUs: period, ...plan }): TestPlan => ({
      ...plan,
      ioThreadCpus: "baseline",
      ...(period !== undefined && { periodUs: period }),
    }));
  return fc.array(one, { minLength: 1, maxLength: 5 });
}

/** What the guest can get at this moment. */
interface Capacity {
  /** Of each vCPU, in cores. */
  bandwidths: number[];
  /** Of each vCPU. */
  cpus: number[][];
}

function capacityOf({ places, io }: Harness): Capacity {
  const values = readValues(io, settableKeys(places));
  const bandwidths = [...places.bandwidth.values()].map(({ version, dir }) => {
    const state = bandwidthOf(version, dir, values);
    return state === undefined ? Infinity : ratioOf(state);
  });
  const cpus = [...places.vcpuCpus.values()].map(({ group }) =>
    parseCpuList(values.get(cpusetKey(group?.dir ?? "")) ?? ""),
  );
  return { bandwidths, cpus };
}

const sum = (values: readonly number[]): number => values.reduce((total, one) => total + Math.min(1, one), 0);

/** CPUs that two vCPUs can have at once; an empty set is the parent's. */
function room([a = [], b = []]: number[][]): number {
  const isOne = a.length === 1 && b.length === 1 && a[0] === b[0];
  return isOne ? 1 : 2;
}

/** What is wrong with a state on the way from one to another. */
function problemsOf(now: Capacity, before: Capacity, after: Capacity, version: 1 | 2): string[] {
  const problems: string[] = [];
  for (const [vcpu, cores] of now.bandwidths.entries()) {
    const least = Math.min(before.bandwidths[vcpu] ?? 0, after.bandwidths[vcpu] ?? 0);
    if (cores < least - EPSILON) problems.push(`vCPU ${vcpu} has ${cores} of ${least} cores`);
  }
  const least = Math.min(sum(before.bandwidths), sum(after.bandwidths));
  if (sum(now.bandwidths) < least - EPSILON)
    problems.push(`the guest has ${sum(now.bandwidths)} of ${least} cores`);
  if (room(now.cpus) < Math.min(room(before.cpus), room(after.cpus)))
    problems.push("its vCPUs are crowded on one CPU");
  if (version === 1 && now.cpus.some((set) => set.length === 0)) problems.push("a CPU set is empty");
  return problems;
}

/** States after each write, from the kernel itself. */
function watched(harness: Harness): { io: ControlIo; states: Capacity[] } {
  const states: Capacity[] = [];
  const { io } = harness;
  const write: ControlIo["write"] = async (one) => {
    await io.write(one);
    states.push(capacityOf(harness));
  };
  const { read, matches } = { read: io.read.bind(io), matches: io.matches.bind(io) };
  return { io: { read, matches, write, forget: () => undefined, close: () => undefined }, states };
}

async function follow(harness: Harness, plan: TestPlan, baseline: Values): Promise<void> {
  const { io, states } = watched(harness);
  const { places, version } = harness;
  const values = readValues(io, [...settableKeys(places), ...boundKeys(places)]);
  const before = capacityOf(harness);
  const { writes, wanted } = planWrites({
    plan,
    places,
    values,
    baseline,
    limits: { floorCores: FLOOR_CORES },
  });
  const results = await executeWrites(writes, io);
  expect(results.filter(({ error }) => error !== undefined)).toEqual([]);
  for (const { key, text } of wanted) expect([key, io.read(key)?.trim()]).toEqual([key, text]);
  const after = capacityOf(harness);
  for (const state of states) expect(problemsOf(state, before, after, version)).toEqual([]);
}

function firstValues({ places, version, io }: Harness): BaselineValue[] {
  return [...readValues(io, settableKeys(places))].map(([key, text]) => ({
    key,
    version,
    target: "any",
    setting: key.endsWith("cpuset.cpus")
      ? "cpus"
      : key.endsWith("cpu.idle")
        ? "idle"
        : /shares|weight/.test(key)
          ? "weight"
          : "bandwidth",
    text,
  }));
}

describe.each(ALL_KINDS)("random plans on the $name", ({ name, start }) => {
  it("never throttle below what was and will be, leave no CPU set empty, arrive, and are taken back", async () => {
    const numRuns = name.startsWith("real") ? 25 : 300;
    await fc.assert(
      fc.asyncProperty(plans(online(name)), async (sequence) => {
        await using harness = await start();
        const baseline = firstValues(harness);
        const originals: Values = new Map(baseline.map(({ key, text }) => [key, text]));
        for (const plan of sequence) await follow(harness, plan, originals);
        const { io, places } = harness;
        const values = readValues(io, [...settableKeys(places), ...boundKeys(places)]);
        const parts = cpusPlaces(places);
        const threadsOf = (dir: string) => parts.find(({ group }) => group?.dir === dir)?.tids ?? [];
        const results = await executeWrites(restoreWrites({ baseline, values, threadsOf }), io);
        expect(results.filter(({ error }) => error !== undefined)).toEqual([]);
        for (const { key, text } of baseline) expect([key, io.read(key)?.trim()]).toEqual([key, text]);
      }),
      { numRuns },
    );
  }, 60_000);
});
