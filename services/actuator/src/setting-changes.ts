/** What a plan's writes amount to for people: one line for each setting that changed, equal vCPUs together. */
import { bandwidthOf, cpusetKey, affinityKey, weightOf } from "@kvm-governor/linux";
import type { BandwidthState, GuestPlaces, Values } from "@kvm-governor/linux";

export interface SettingChange {
  event: "quota-changed" | "weight-changed" | "cpus-changed";
  /** `guest`, `vcpu 0,1`, `emulator`, `iothread 1`. */
  target: string;
  old: string;
  new: string;
}

export function settingChanges(places: GuestPlaces, before: Values, after: Values): SettingChange[] {
  const changes: SettingChange[] = [];
  for (const [index, { version, dir }] of places.bandwidth) {
    const [old, now] = [before, after].map((values) => bandwidthText(bandwidthOf(version, dir, values)));
    push(changes, "quota-changed", `vcpu ${index}`, old, now);
  }
  if (places.weight !== undefined) {
    const { version, dir } = places.weight;
    const [old, now] = [before, after].map((values) => {
      const state = weightOf(version, dir, values);
      return state?.idle === true ? "idle" : state === undefined ? undefined : String(state.weight);
    });
    push(changes, "weight-changed", "guest", old, now);
  }
  for (const place of [...places.vcpuCpus.values(), places.emulatorCpus, ...places.ioThreadCpus]) {
    const key = place.group === undefined ? affinityKey(place.tids[0] ?? 0) : cpusetKey(place.group.dir);
    push(changes, "cpus-changed", place.target, before.get(key), after.get(key));
  }
  return together(changes);
}

function bandwidthText(state: BandwidthState | undefined): string | undefined {
  if (state === undefined) return undefined;
  if (state.quotaUs === undefined) return "none";
  const cores = Math.round((state.quotaUs / state.periodUs) * 1000) / 1000;
  return `${cores} cores (${state.quotaUs}/${state.periodUs})`;
}

function push(
  changes: SettingChange[],
  event: SettingChange["event"],
  target: string,
  old: string | undefined,
  now: string | undefined,
): void {
  if (old !== undefined && now !== undefined && old !== now) changes.push({ event, target, old, new: now });
}

function together(changes: readonly SettingChange[]): SettingChange[] {
  const merged = new Map<string, SettingChange>();
  for (const change of changes) {
    const isVcpu = change.target.startsWith("vcpu ");
    const key = [change.event, isVcpu ? "vcpu" : change.target, change.old, change.new].join("\0");
    const same = merged.get(key);
    if (same === undefined) merged.set(key, { ...change });
    else same.target += `,${change.target.slice("vcpu ".length)}`;
  }
  return [...merged.values()];
}
