/** The baseline of a guest whose journal was lost: what its configuration asks for. */
import { dirname } from "node:path";
import { formatCpuList } from "@kvm-governor/policy";
import { bandwidthOf, bandwidthValues } from "../controls/bandwidth.ts";
import { PERIOD_US_DEFAULT, SHARES_DEFAULT, WEIGHT_DEFAULT } from "../controls/bounds.ts";
import { cpusetKey } from "../controls/cpuset.ts";
import { type CpusPlace, cpusPlaces, type GuestPlaces } from "../controls/places.ts";
import type { BaselineValue } from "../controls/restore-writes.ts";
import { weightKeys } from "../controls/weight.ts";
import { affinityKey, type Values } from "../controls/write.ts";
import type { ConfiguredTuning } from "../guests/guest.ts";

/**
 * First values as libvirt sets them from a guest's definition; where it says nothing, the kernel's defaults, and for CPUs those
 * of the group above.
 * @param values what is there now: only settings that this kernel has are answered
 * @param onlineCpus for threads without a group of their own
 */
export function configuredBaseline(
  configured: ConfiguredTuning,
  places: GuestPlaces,
  values: Values,
  onlineCpus: readonly number[],
): BaselineValue[] {
  return [
    ...cpusPlaces(places).flatMap((place) =>
      cpusBaseline(place, pinOf(configured, place), values, onlineCpus),
    ),
    ...bandwidthBaseline(configured, places, values),
    ...weightBaseline(configured, places, values),
  ];
}

function pinOf(configured: ConfiguredTuning, place: CpusPlace): readonly number[] | undefined {
  const [kind, number] = place.target.split(" ");
  if (kind === "vcpu") return configured.vcpuPins.get(Number(number));
  if (kind === "iothread") return configured.ioThreadPins.get(Number(number));
  return configured.emulatorPin;
}

function cpusBaseline(
  place: CpusPlace,
  pin: readonly number[] | undefined,
  values: Values,
  onlineCpus: readonly number[],
): BaselineValue[] {
  const { target, group, tids } = place;
  if (group === undefined) {
    const text = formatCpuList(pin ?? onlineCpus);
    return tids.map((tid) => ({ key: affinityKey(tid), version: 1, target, setting: "affinity", text }));
  }
  // v2 takes an empty set for the parent's; v1 keeps a copy of it.
  const inherited = group.version === 2 ? "" : values.get(cpusetKey(dirname(group.dir)));
  const text = pin === undefined ? inherited : formatCpuList(pin);
  if (text === undefined) return [];
  return [{ key: cpusetKey(group.dir), version: group.version, target, setting: "cpus", text }];
}

function bandwidthBaseline(
  configured: ConfiguredTuning,
  places: GuestPlaces,
  values: Values,
): BaselineValue[] {
  const { vcpuQuotaUs, vcpuPeriodUs = PERIOD_US_DEFAULT } = configured;
  const quotaUs = vcpuQuotaUs !== undefined && vcpuQuotaUs > 0 ? vcpuQuotaUs : undefined;
  return [...places.bandwidth].flatMap(([index, { version, dir }]) => {
    const now = bandwidthOf(version, dir, values);
    if (now === undefined) return [];
    const state = { quotaUs, periodUs: vcpuPeriodUs, burstUs: now.burstUs === undefined ? undefined : 0 };
    return [...bandwidthValues(version, dir, state)].map(([key, text]) => ({
      key,
      version,
      target: `vcpu ${index}`,
      setting: "bandwidth" as const,
      text,
    }));
  });
}

/** libvirt hands `shares` to the kernel as they are: shares on v1, a weight on v2. */
function weightBaseline(configured: ConfiguredTuning, places: GuestPlaces, values: Values): BaselineValue[] {
  if (places.weight === undefined) return [];
  const { version, dir, unit } = places.weight;
  const shares = configured.shares ?? (version === 1 ? SHARES_DEFAULT : WEIGHT_DEFAULT);
  return weightKeys(version, dir).flatMap((key) => {
    if (!values.has(key)) return [];
    const idle = key.endsWith("cpu.idle");
    return {
      key,
      version,
      target: "guest",
      setting: idle ? ("idle" as const) : ("weight" as const),
      text: idle ? "0" : String(shares),
      ...(unit !== undefined && { unit }),
    };
  });
}
