/** What a guest goes back to, for parts that a plan leaves as they were found. */
import {
  affinityKey,
  cpusPlaces,
  giveable,
  inheritedBaselines,
  readOnlineCpus,
  withoutNewline,
} from "@kvm-governor/linux";
import type { ControlIo, GuestPlaces, JournalEntry, KernelRoots, Values } from "@kvm-governor/linux";

/**
 * First values by key, as far as they can be given back now: CPUs may have gone offline since. Threads that inherited what is held have that
 * of their maker.
 * @param entry none: nothing was touched yet
 */
export function firstValues(
  entry: JournalEntry | undefined,
  places: GuestPlaces,
  { io, roots }: { io: Pick<ControlIo, "read">; roots: KernelRoots },
): Values {
  if (entry === undefined) return new Map();
  const tids = cpusPlaces(places).flatMap((place) => (place.group === undefined ? place.tids : []));
  const born = inheritedBaselines(tids, entry, { io, procRoot: roots.procRoot });
  const files = [...entry.files.values()].map(({ raw, ...file }) => ({ ...file, text: withoutNewline(raw) }));
  const threads = [...entry.threads.values(), ...born].map(({ tid, cpus }) => ({
    key: affinityKey(tid),
    version: 1 as const,
    setting: "affinity" as const,
    text: cpus,
  }));
  const online = readOnlineCpus(roots.sysRoot);
  return new Map([...files, ...threads].map((value) => [value.key, giveable(value, online, io)]));
}
