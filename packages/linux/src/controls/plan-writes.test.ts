import { describe, expect, it } from "@jest/globals";
import { join } from "node:path";
import type { GuestPlan } from "@kvm-governor/policy";
import { bandwidthKeys, bandwidthOf, type BandwidthState } from "./bandwidth.ts";
import { executeWrites, readBack } from "./execute.ts";
import { readValues } from "./kernel-io.ts";
import { boundKeys, settableKeys } from "./places.ts";
import { planWrites, type PlannedWrites } from "./plan-writes.ts";
import { restoreWrites, type BaselineValue } from "./restore-writes.ts";
import { ALL_KINDS, type Harness } from "./testing/harness.ts";
import { weightKeys, weightOf, weightWrites } from "./weight.ts";
import { bandwidthWrites } from "./bandwidth.ts";

type TestPlan = Pick<GuestPlan, "vcpus" | "weight" | "emulatorCpus" | "ioThreadCpus" | "periodUs">;

const unchanged: TestPlan = {
  vcpus: [0, 1].map((index) => ({ index, bandwidth: "baseline", cpus: "baseline" })),
  weight: "baseline",
  emulatorCpus: "baseline",
  ioThreadCpus: "baseline",
};

const withVcpu0 = (vcpu: Partial<TestPlan["vcpus"][number]>, more: Partial<TestPlan> = {}): TestPlan => ({
  ...unchanged,
  ...more,
  vcpus: [{ index: 0, bandwidth: "baseline", cpus: "baseline", ...vcpu }],
});

interface Start {
  bandwidth?: Partial<BandwidthState>;
  guestBandwidth?: Partial<BandwidthState>;
  /** Weight of the contracts. */
  weight?: number;
  idle?: boolean;
  cpus?: string;
}

interface Case {
  name: string;
  start?: Start;
  /** Plans one after the other. */
  plans: TestPlan[];
  bandwidth?: Partial<BandwidthState>;
  weight?: { weight?: number; idle: boolean };
  cpus?: string;
  problems?: RegExp;
  only?: 1 | 2;
}

const CASES: Case[] = [
  { name: "nothing to do writes nothing", plans: [unchanged], bandwidth: { quotaUs: undefined } },
  {
    name: "a quota",
    plans: [withVcpu0({ bandwidth: 0.25 })],
    bandwidth: { quotaUs: 25_000, periodUs: 100_000 },
  },
  {
    name: "a quota in a period of the plan",
    plans: [withVcpu0({ bandwidth: 0.25 }, { periodUs: 20_000 })],
    bandwidth: { quotaUs: 5000, periodUs: 20_000 },
  },
  {
    name: "the group's own period is kept where the plan has none",
    start: { bandwidth: { quotaUs: 10_000, periodUs: 20_000 } },
    plans: [withVcpu0({ bandwidth: 0.75 })],
    bandwidth: { quotaUs: 15_000, periodUs: 20_000 },
  },
  {
    name: "a quota below the guest's burst, and back",
    start: { bandwidth: { quotaUs: 80_000, periodUs: 100_000, burstUs: 50_000 } },
    plans: [withVcpu0({ bandwidth: 0.2 }), unchanged],
    bandwidth: { quotaUs: 80_000, periodUs: 100_000, burstUs: 50_000 },
  },
  {
    name: "longer period and less quota below a limit of the whole guest that is just met",
    start: {
      bandwidth: { quotaUs: 50_000, periodUs: 100_000 },
      guestBandwidth: { quotaUs: 50_000, periodUs: 100_000 },
    },
    plans: [withVcpu0({ bandwidth: 0.5 }, { periodUs: 200_000 })],
    bandwidth: { quotaUs: 100_000, periodUs: 200_000 },
  },
  {
    name: "more than the whole guest may have is cut to it",
    start: { guestBandwidth: { quotaUs: 50_000, periodUs: 100_000 } },
    plans: [withVcpu0({ bandwidth: 0.9 })],
    bandwidth: { quotaUs: 50_000 },
    problems: /above the limit/,
    only: 1,
  },
  {
    name: "below the floor is raised to it",
    plans: [withVcpu0({ bandwidth: 0.001 })],
    bandwidth: { quotaUs: 5000 },
    problems: /below the floor/,
  },
  {
    name: "the floor is at least the kernel's 1000 us",
    plans: [withVcpu0({ bandwidth: 0.06 }, { periodUs: 10_000 })],
    bandwidth: { quotaUs: 1000, periodUs: 10_000 },
    problems: /below the floor/,
  },
  {
    name: "no limit",
    start: { bandwidth: { quotaUs: 30_000 } },
    plans: [withVcpu0({ bandwidth: "unlimited" })],
    bandwidth: { quotaUs: undefined },
  },
  { name: "idle", start: { weight: 0.5 }, plans: [{ ...unchanged, weight: "idle" }], weight: { idle: true } },
  {
    name: "from idle to a weight",
    start: { idle: true },
    plans: [{ ...unchanged, weight: 7 }],
    weight: { weight: 7, idle: false },
  },
  {
    name: "idle and back to a weight that is not the default",
    start: { weight: 0.5 },
    plans: [{ ...unchanged, weight: "idle" }, unchanged],
    weight: { weight: 0.5, idle: false },
  },
  {
    name: "a weight and back to idle",
    start: { idle: true },
    plans: [{ ...unchanged, weight: 2 }, unchanged],
    weight: { idle: true },
  },
  {
    name: "a burst that stays as it is",
    start: { bandwidth: { quotaUs: 80_000, periodUs: 100_000, burstUs: 10_000 } },
    plans: [withVcpu0({ bandwidth: 0.5 })],
    bandwidth: { quotaUs: 50_000, periodUs: 100_000, burstUs: 10_000 },
  },
  {
    name: "from idle to the very weight that an idle group shows",
    start: { idle: true },
    plans: [{ ...unchanged, weight: 3 / 1024 }],
    weight: { weight: 3 / 1024, idle: false },
    only: 1,
  },
  { name: "CPUs", plans: [withVcpu0({ cpus: [1] })], cpus: "1" },
  { name: "CPUs and back", start: { cpus: "0" }, plans: [withVcpu0({ cpus: [1] }), unchanged], cpus: "0" },
  {
    name: "CPUs outside the group above are cut",
    plans: [withVcpu0({ cpus: [1, 900] })],
    cpus: "1",
    problems: /cut to those/,
  },
  {
    name: "no CPU of the group above is refused, and the rest goes on",
    start: { cpus: "0" },
    plans: [withVcpu0({ cpus: [900], bandwidth: 0.5 })],
    cpus: "0",
    bandwidth: { quotaUs: 50_000 },
    problems: /none of CPUs 900/,
  },
];

const rawWeight = (version: 1 | 2, weight: number): number =>
  Math.round(weight * (version === 1 ? 1024 : 100));

async function arrange(harness: Harness, start: Start): Promise<void> {
  const { version, cpuDir, cpusetDir, io } = harness;
  const set = async (dir: string, bandwidth: Partial<BandwidthState> | undefined): Promise<void> => {
    if (bandwidth === undefined) return;
    const from = bandwidthOf(version, dir, readValues(io, bandwidthKeys(version, dir)));
    if (from === undefined) throw new Error(`no bandwidth in ${dir}`);
    const to = { ...from, ...bandwidth };
    await executeWrites(bandwidthWrites({ version, target: "", dir, from, to, parentRatio: Infinity }), io);
  };
  await set(cpuDir, start.guestBandwidth);
  await set(join(cpuDir, "vcpu0"), start.bandwidth);
  const from = weightOf(version, cpuDir, readValues(io, weightKeys(version, cpuDir)));
  if (from !== undefined && (start.weight !== undefined || start.idle !== undefined)) {
    const weight = start.weight === undefined ? from.weight : rawWeight(version, start.weight);
    const to = { weight, idle: start.idle ?? false };
    await executeWrites(weightWrites({ version, target: "", dir: cpuDir, from, to }), io);
  }
  if (start.cpus !== undefined) harness.set(join(cpusetDir, "vcpu0/cpuset.cpus"), start.cpus);
}

const allValues = ({ io, places }: Harness): Map<string, string> =>
  new Map(readValues(io, [...settableKeys(places), ...boundKeys(places)]));

async function apply(
  harness: Harness,
  plan: TestPlan,
  baseline: Map<string, string>,
): Promise<PlannedWrites> {
  const planned = planWrites({
    plan,
    places: harness.places,
    values: allValues(harness),
    baseline,
    limits: { floorCores: 0.05 },
  });
  const results = readBack(await executeWrites(planned.writes, harness.io), harness.io);
  expect(results.filter((result) => result.error !== undefined)).toEqual([]);
  for (const { key, text } of planned.wanted)
    expect(`${key}: ${harness.io.read(key)}`).toBe(`${key}: ${text}\n`);
  return planned;
}

describe.each(ALL_KINDS)("settings of a guest, $name", ({ version, start: startHarness }) => {
  const cases = CASES.filter((one) => one.only === undefined || one.only === version);
  it.each(cases)("$name", async ({ start = {}, plans, bandwidth, weight, cpus, problems }) => {
    await using harness = await startHarness();
    await arrange(harness, start);
    const baseline = allValues(harness);
    const planned: PlannedWrites[] = [];
    for (const plan of plans) planned.push(await apply(harness, plan, baseline));
    const values = allValues(harness);
    const { cpuDir, cpusetDir } = harness;
    if (bandwidth !== undefined)
      expect(bandwidthOf(version, join(cpuDir, "vcpu0"), values)).toMatchObject(bandwidth);
    if (weight !== undefined) {
      const expected = weight.weight === undefined ? {} : { weight: rawWeight(version, weight.weight) };
      expect(weightOf(version, cpuDir, values)).toMatchObject({ idle: weight.idle, ...expected });
    }
    if (cpus !== undefined) expect(values.get(join(cpusetDir, "vcpu0/cpuset.cpus"))).toBe(cpus);
    expect(planned.flatMap((one) => one.problems.map(({ text }) => text)).join()).toMatch(problems ?? /^$/);
  });

  it("writes differences only, and nothing the second time", async () => {
    await using harness = await startHarness();
    const plan = { ...withVcpu0({ bandwidth: 0.3, cpus: [0] }), weight: 3 };
    const baseline = allValues(harness);
    expect((await apply(harness, plan, baseline)).writes.length).toBe(3);
    expect((await apply(harness, plan, baseline)).writes).toEqual([]);
    expect((await apply(harness, { ...plan, weight: 4 }, baseline)).writes).toHaveLength(1);
  });

  it("restores every byte from baselines that are no defaults", async () => {
    await using harness = await startHarness();
    await arrange(harness, {
      bandwidth: { quotaUs: 30_000, periodUs: 50_000, burstUs: 10_000 },
      weight: 0.3,
      ...(version === 1 && { cpus: "1" }),
    });
    const before = allValues(harness);
    await apply(
      harness,
      { ...withVcpu0({ bandwidth: 0.1, cpus: [0] }, { periodUs: 10_000 }), weight: "idle" },
      before,
    );
    expect(allValues(harness)).not.toEqual(before);
    const settings = settableKeys(harness.places).map((key): BaselineValue => {
      const setting = key.includes("cpuset")
        ? "cpus"
        : /shares|weight|idle/.test(key)
          ? "weight"
          : "bandwidth";
      return { key, version, target: "vcpu 0", setting, text: before.get(key) ?? "" };
    });
    const threadsOf = (dir: string): readonly number[] =>
      [...harness.places.vcpuCpus.values()].find((place) => place.group?.dir === dir)?.tids ?? [];
    const writes = restoreWrites({ baseline: settings, values: allValues(harness), threadsOf });
    const results = readBack(await executeWrites(writes, harness.io), harness.io);
    expect(results.filter((result) => result.error !== undefined)).toEqual([]);
    expect(allValues(harness)).toEqual(before);
  });
});
