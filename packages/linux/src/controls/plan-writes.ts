/** From a guest's plan to writes: pure, so that every case can be tried without a kernel. */
import { dirname } from "node:path";
import { formatCpuList, parseCpuList } from "@kvm-governor/policy";
import type { Bandwidth, Cpus, GuestPlan, Weight } from "@kvm-governor/policy";
import { bandwidthOf, bandwidthValues, bandwidthWrites, orderBandwidth, ratioOf } from "./bandwidth.ts";
import type { BandwidthChange, BandwidthState } from "./bandwidth.ts";
import { cpuWeightOf, isLegalPeriod, QUOTA_US_MIN, quotaUsOf, sharesOf } from "./bounds.ts";
import { cpusetKey, cpusetWrites, effectiveCpusKey, type CpusetChange } from "./cpuset.ts";
import { type CpusPlace, cpusPlaces, type GuestPlaces } from "./places.ts";
import { weightOf, weightValues, weightWrites, type WeightState } from "./weight.ts";
import { affinityKey, type Setting, type Values, type Write } from "./write.ts";

export interface PlanWritesInput {
  plan: Pick<GuestPlan, "vcpus" | "weight" | "emulatorCpus" | "ioThreadCpus" | "periodUs">;
  places: GuestPlaces;
  /** What is there now. */
  values: Values;
  /** The first values found; a key that was never touched is absent, its present value is the baseline. */
  baseline: Values;
  limits: Limits;
}

/** What no plan can go below. */
export interface Limits {
  /** Least bandwidth of one vCPU, in cores. */
  floorCores: number;
}

/** Part of a plan that is not followed to the letter. */
export interface PlanProblem {
  target: string;
  setting: Setting;
  /** `floor`: raised to the local floor. `bounds`: cut to what the group above allows. `impossible`: left as it is. */
  kind: "floor" | "bounds" | "impossible";
  text: string;
}

export interface WantedValue {
  key: string;
  target: string;
  setting: Setting;
  text: string;
}

export interface PlannedWrites {
  /** In the order in which they must be made. */
  writes: Write[];
  /** What everything that the plan speaks about must read in the end. */
  wanted: WantedValue[];
  problems: PlanProblem[];
}

/** Writes that take a guest from what is there now to its plan. Differences only. */
export function planWrites(input: PlanWritesInput): PlannedWrites {
  const out: PlannedWrites = { writes: [], wanted: [], problems: [] };
  planCpus(input, out);
  planBandwidth(input, out);
  planWeight(input, out);
  return out;
}

const merged = (values: Values, over: Values): Values => new Map([...values, ...over]);

function planBandwidth(input: PlanWritesInput, out: PlannedWrites): void {
  const changes: BandwidthChange[] = [];
  const original = merged(input.values, input.baseline);
  for (const { index, bandwidth } of input.plan.vcpus) {
    const target = `vcpu ${index}`;
    const place = input.places.bandwidth.get(index);
    const from = place && bandwidthOf(place.version, place.dir, input.values);
    const base = place && bandwidthOf(place.version, place.dir, original);
    if (place === undefined || from === undefined || base === undefined) {
      if (bandwidth !== "baseline") out.problems.push(impossible(target, "bandwidth", "no group of its own"));
      continue;
    }
    const parent = bandwidthOf(place.version, dirname(place.dir), input.values);
    const parentRatio = parent === undefined || place.version === 2 ? Infinity : ratioOf(parent);
    const to = wantedBandwidth({ input, target, bandwidth, base, parentRatio }, out.problems);
    changes.push({ ...place, target, from, to, parentRatio });
    for (const [key, text] of bandwidthValues(place.version, place.dir, to)) {
      out.wanted.push({ key, target, setting: "bandwidth", text });
    }
  }
  for (const change of orderBandwidth(changes)) {
    const takes = ratioOf(change.to) < ratioOf(change.from);
    for (const write of bandwidthWrites(change)) out.writes.push(takes ? { ...write, takes } : write);
  }
}

interface BandwidthWish {
  input: PlanWritesInput;
  target: string;
  bandwidth: Bandwidth;
  base: BandwidthState;
  parentRatio: number;
}

function wantedBandwidth(wish: BandwidthWish, problems: PlanProblem[]): BandwidthState {
  const { bandwidth, base, input } = wish;
  if (bandwidth === "baseline") return base;
  if (bandwidth === "unlimited") return { ...base, quotaUs: undefined };
  const asked = input.plan.periodUs ?? base.periodUs;
  const periodUs = isLegalPeriod(asked) ? asked : base.periodUs;
  const floor = Math.max(input.limits.floorCores, QUOTA_US_MIN / periodUs);
  if (bandwidth < floor) {
    const text = `${bandwidth} cores is below the floor of ${floor} cores: raised to it`;
    problems.push({ target: wish.target, setting: "bandwidth", kind: "floor", text });
  }
  const cores = Math.max(bandwidth, floor);
  let quotaUs = quotaUsOf(cores, periodUs);
  if (quotaUs / periodUs > wish.parentRatio) {
    const text = `${cores} cores is above the limit of the group above, ${wish.parentRatio} cores: cut to it`;
    problems.push({ target: wish.target, setting: "bandwidth", kind: "bounds", text });
    quotaUs = Math.max(QUOTA_US_MIN, Math.floor(wish.parentRatio * periodUs));
  }
  const burstUs = base.burstUs === undefined ? undefined : Math.min(base.burstUs, quotaUs);
  return { quotaUs, periodUs, burstUs };
}

function planWeight(input: PlanWritesInput, out: PlannedWrites): void {
  const place = input.places.weight;
  const from = place && weightOf(place.version, place.dir, input.values);
  const base = place && weightOf(place.version, place.dir, merged(input.values, input.baseline));
  if (place === undefined || from === undefined || base === undefined) {
    if (input.plan.weight === "baseline") return;
    out.problems.push(impossible("guest", "weight", "no group of its own"));
    return;
  }
  const to = wantedWeight(input.plan.weight, place.version, base);
  out.writes.push(...weightWrites({ ...place, target: "guest", from, to }));
  for (const [key, text] of weightValues(place.version, place.dir, to)) {
    out.wanted.push({ key, target: "guest", setting: key.endsWith("idle") ? "idle" : "weight", text });
  }
}

/** Kernels without `cpu.idle` get the least weight there is. */
function wantedWeight(weight: Weight, version: 1 | 2, base: WeightState): WeightState {
  if (weight === "baseline") return base;
  const raw = version === 1 ? sharesOf : cpuWeightOf;
  const idle = base.idle === undefined ? undefined : weight === "idle";
  return { weight: raw(weight === "idle" ? 0 : weight), idle };
}

function planCpus(input: PlanWritesInput, out: PlannedWrites): void {
  const wishes = new Map<CpusPlace, Cpus>();
  for (const { index, cpus } of input.plan.vcpus) {
    const place = input.places.vcpuCpus.get(index);
    if (place !== undefined) wishes.set(place, cpus);
    else if (cpus !== "baseline") out.problems.push(impossible(`vcpu ${index}`, "cpus", "no such vCPU"));
  }
  wishes.set(input.places.emulatorCpus, input.plan.emulatorCpus);
  for (const place of input.places.ioThreadCpus) wishes.set(place, input.plan.ioThreadCpus);
  const changes: CpusetChange[] = [];
  for (const place of cpusPlaces(input.places)) {
    const wish = wishes.get(place);
    if (wish === undefined) continue;
    if (place.group === undefined) planAffinity(input, place, wish, out);
    else changes.push(...planCpuset(input, place, place.group, wish, out));
  }
  out.writes.unshift(...cpusetWrites(changes));
}

function planCpuset(
  input: PlanWritesInput,
  place: CpusPlace,
  group: NonNullable<CpusPlace["group"]>,
  wish: Cpus,
  out: PlannedWrites,
): CpusetChange[] {
  const key = cpusetKey(group.dir);
  const now = input.values.get(key);
  if (now === undefined) return [];
  const text =
    wish === "baseline" ? (input.baseline.get(key) ?? now) : inside(input, place, group, wish, out.problems);
  if (text === undefined) return [];
  out.wanted.push({ key, target: place.target, setting: "cpus", text });
  if (wish === "baseline" && now !== text) out.writes.push(...ownAffinities(input, place));
  const { target, tids } = place;
  return [{ ...group, target, tids, from: parseCpuList(now), to: parseCpuList(text) }];
}

/** What threads had chosen for themselves: older kernels forget it when the cpuset of their group is written. */
function ownAffinities(input: PlanWritesInput, { target, tids }: CpusPlace): Write[] {
  return tids.flatMap((tid) => {
    const key = affinityKey(tid);
    const text = input.baseline.get(key);
    if (text === undefined) return [];
    return { op: "affinity", target, setting: "affinity", key, text, tid, cpus: parseCpuList(text) };
  });
}

/** The part of the wish that lies in the group above, which is somebody's decision too. */
function inside(
  input: PlanWritesInput,
  place: CpusPlace,
  group: NonNullable<CpusPlace["group"]>,
  wish: readonly number[],
  problems: PlanProblem[],
): string | undefined {
  const bound = input.values.get(effectiveCpusKey(group.version, dirname(group.dir)));
  const allowed = bound === undefined || bound === "" ? undefined : new Set(parseCpuList(bound));
  const kept = allowed === undefined ? wish : wish.filter((cpu) => allowed.has(cpu));
  if (kept.length === 0) {
    const text = `none of CPUs ${formatCpuList(wish)} is among those of the group above (${bound})`;
    problems.push({ target: place.target, setting: "cpus", kind: "impossible", text });
    return undefined;
  }
  if (kept.length < wish.length) {
    const text = `CPUs ${formatCpuList(wish)} are cut to those of the group above (${bound})`;
    problems.push({ target: place.target, setting: "cpus", kind: "bounds", text });
  }
  return formatCpuList(kept);
}

function planAffinity(input: PlanWritesInput, place: CpusPlace, wish: Cpus, out: PlannedWrites): void {
  for (const tid of place.tids) {
    const key = affinityKey(tid);
    const now = input.values.get(key);
    if (now === undefined) continue;
    const text = wish === "baseline" ? (input.baseline.get(key) ?? now) : formatCpuList(wish);
    const value = { key, target: place.target, setting: "affinity" as const, text };
    out.wanted.push(value);
    if (now !== text) out.writes.push({ ...value, op: "affinity", tid, cpus: parseCpuList(text) });
  }
}

const impossible = (target: string, setting: Setting, why: string): PlanProblem => ({
  target,
  setting,
  kind: "impossible",
  text: `${why}: ${setting} is left as it is`,
});
