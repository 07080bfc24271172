/** Writes that take everything that was touched back to its first value: pure. */
import { dirname } from "node:path";
import { parseCpuList } from "@kvm-governor/policy";
import { bandwidthOf, bandwidthWrites, orderBandwidth, ratioOf, type BandwidthChange } from "./bandwidth.ts";
import { cpusetKey, cpusetWrites, type CpusetChange } from "./cpuset.ts";
import { weightOf, weightWrites, type WeightChange } from "./weight.ts";
import { affinityKey, affinityTid, type Setting, type Values, type Write } from "./write.ts";

/** One value to go back to. */
export interface BaselineValue {
  key: string;
  version: 1 | 2;
  target: string;
  setting: Setting;
  /** Without the newline. */
  text: string;
  /** For an affinity, CPUs that are asked for where some of them cannot be had now: the kernel remembers them (since 6.2). */
  asked?: string;
  /** Systemd unit that owns the group, for a weight. */
  unit?: string;
}

export interface RestoreInput {
  baseline: readonly BaselineValue[];
  /** What is there now, and the limits of the groups above. */
  values: Values;
  /** Threads of a group. */
  threadsOf: (dir: string, version: 1 | 2) => readonly number[];
}

/**
 * CPU sets first, then affinities (a cpuset write may reset them; one that is right by then is not written again), then
 * bandwidth, then weights. Differences only.
 */
export function restoreWrites(input: RestoreInput): Write[] {
  const original: Values = new Map([...input.values, ...input.baseline.map((v) => [v.key, v.text] as const)]);
  const groups = new Map<string, BaselineValue>();
  for (const value of input.baseline) {
    if (value.setting === "affinity" || !input.values.has(value.key)) continue;
    groups.set(`${family(value.setting)} ${dirname(value.key)}`, value);
  }
  const of = (setting: Setting): BaselineValue[] =>
    [...groups].flatMap(([key, value]) => (key.startsWith(`${setting} `) ? value : []));
  return [
    ...cpusetWrites(of("cpus").flatMap((value) => cpusetChange(input, original, value))),
    ...input.baseline.flatMap((value) => affinityWrite(value)),
    ...orderBandwidth(of("bandwidth").flatMap((value) => bandwidthChange(input, original, value))).flatMap(
      bandwidthWrites,
    ),
    ...of("weight")
      .flatMap((value) => weightChange(input, original, value))
      .flatMap(weightWrites),
  ];
}

const family = (setting: Setting): Setting => (setting === "idle" ? "weight" : setting);

function cpusetChange(input: RestoreInput, original: Values, value: BaselineValue): CpusetChange[] {
  const dir = dirname(value.key);
  const from = input.values.get(cpusetKey(dir));
  const to = original.get(cpusetKey(dir));
  if (from === undefined || to === undefined) return [];
  const { version, target } = value;
  const tids = input.threadsOf(dir, version);
  return [{ version, target, dir, tids, from: parseCpuList(from), to: parseCpuList(to) }];
}

/** Always planned, since the cpuset before it may change it; made only where it then differs. */
function affinityWrite(value: BaselineValue): Write[] {
  const tid = affinityTid(value.key);
  if (value.setting !== "affinity" || tid === undefined) return [];
  const { target, setting, text, asked = text } = value;
  return [{ op: "affinity", target, setting, key: affinityKey(tid), text, tid, cpus: parseCpuList(asked) }];
}

function bandwidthChange(input: RestoreInput, original: Values, value: BaselineValue): BandwidthChange[] {
  const dir = dirname(value.key);
  const { version, target } = value;
  const from = bandwidthOf(version, dir, input.values);
  const to = bandwidthOf(version, dir, original);
  if (from === undefined || to === undefined) return [];
  const parent = version === 1 ? bandwidthOf(version, dirname(dir), input.values) : undefined;
  return [{ version, target, dir, from, to, parentRatio: parent === undefined ? Infinity : ratioOf(parent) }];
}

function weightChange(input: RestoreInput, original: Values, value: BaselineValue): WeightChange[] {
  const dir = dirname(value.key);
  const { version, target, unit } = value;
  const from = weightOf(version, dir, input.values);
  const to = weightOf(version, dir, original);
  if (from === undefined || to === undefined) return [];
  return [{ version, target, dir, from, to, ...(unit !== undefined && { unit }) }];
}
