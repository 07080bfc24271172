/** Where a guest's settings are: which groups, which threads, and what must be read to decide about them. */
import { basename, dirname, relative, sep } from "node:path";
import type { GuestCgroups } from "../cgroup/locate.ts";
import type { Guest } from "../guests/guest.ts";
import { bandwidthKeys } from "./bandwidth.ts";
import { cpusetKey, effectiveCpusKey } from "./cpuset.ts";
import { weightKeys } from "./weight.ts";
import { affinityKey } from "./write.ts";

/** One part of a guest that has CPUs: a vCPU, the emulator's threads, an I/O thread. */
export interface CpusPlace {
  target: string;
  /** Its own cpuset group; absent: the affinity of its threads is set instead. */
  group?: { version: 1 | 2; dir: string };
  /** Its threads; in a group of its own all threads that are in it. */
  tids: readonly number[];
}

export interface GuestPlaces {
  /** Group that competes with other guests, and the systemd unit that owns it. */
  weight?: { version: 1 | 2; dir: string; unit?: string };
  /** By vCPU index. */
  bandwidth: ReadonlyMap<number, { version: 1 | 2; dir: string }>;
  vcpuCpus: ReadonlyMap<number, CpusPlace>;
  emulatorCpus: CpusPlace;
  ioThreadCpus: readonly CpusPlace[];
  mountPoints: readonly string[];
}

export interface PlacesOptions {
  /** Whether systemd runs this host (sd_booted(3)): it owns scopes below its slices. */
  hasSystemd: boolean;
  /** Threads in a group. */
  threadsOf: (dir: string, version: 1 | 2) => readonly number[];
}

type Threads = Pick<Guest, "pid" | "vcpus" | "ioThreads" | "emulatorTids">;

export function placesOf(guest: Threads, groups: GuestCgroups, options: PlacesOptions): GuestPlaces {
  const { cpu, cpuset } = groups;
  const cpusPlace = (target: string, dir: string | undefined, tids: readonly number[]): CpusPlace => {
    if (dir === undefined || cpuset === undefined) return { target, tids };
    const group = { version: cpuset.version, dir };
    return { target, group, tids: options.threadsOf(dir, cpuset.version) };
  };
  const unit =
    cpu?.version === 2 && cpu.guest !== undefined && options.hasSystemd
      ? scopeAt(relative(cpu.mountPoint, cpu.guest))
      : undefined;
  const bandwidth = [...(cpu?.vcpus ?? [])].map(
    ([index, dir]) => [index, { version: cpu?.version ?? 1, dir }] as const,
  );
  return {
    ...(cpu?.guest !== undefined && {
      weight: { version: cpu.version, dir: cpu.guest, ...(unit !== undefined && { unit }) },
    }),
    bandwidth: new Map(bandwidth),
    vcpuCpus: new Map(
      guest.vcpus.map(({ index, tid }) => [
        index,
        cpusPlace(`vcpu ${index}`, cpuset?.vcpus.get(index), [tid]),
      ]),
    ),
    emulatorCpus: cpusPlace("emulator", cpuset?.emulator, guest.emulatorTids),
    ioThreadCpus: guest.ioThreads.map(({ id, tid }) =>
      cpusPlace(`iothread ${id}`, cpuset?.ioThreads.get(id), [tid]),
    ),
    mountPoints: [...new Set([cpu, cpuset].flatMap((found) => found?.mountPoint ?? []))],
  };
}

/**
 * The unit of the system's own systemd whose group this is. A name alone says nothing: a user's systemd, or one in a container, has units of the
 * same names (`ssh.service`) below a group that is no slice, and root must not set theirs on the system's. Scopes only: they are
 * always transient, so that what is set is gone with them; a service keeps it for its next run. Other groups are written to directly.
 * @param path below the hierarchy's mount point
 */
function scopeAt(path: string): string | undefined {
  const above = dirname(path).split(sep);
  return path.endsWith(".scope") && above.every((name) => name.endsWith(".slice"))
    ? basename(path)
    : undefined;
}

export const cpusPlaces = (places: GuestPlaces): CpusPlace[] => [
  ...places.vcpuCpus.values(),
  places.emulatorCpus,
  ...places.ioThreadCpus,
];

/** Keys of everything that may be set. */
export function settableKeys(places: GuestPlaces): string[] {
  const keys = cpusPlaces(places).flatMap((place) =>
    place.group === undefined ? place.tids.map(affinityKey) : [cpusetKey(place.group.dir)],
  );
  for (const { version, dir } of places.bandwidth.values()) keys.push(...bandwidthKeys(version, dir));
  if (places.weight !== undefined) keys.push(...weightKeys(places.weight.version, places.weight.dir));
  return keys;
}

/** Keys that bound what may be set: limits and CPUs of the groups above. */
export function boundKeys(places: GuestPlaces): string[] {
  const keys = [...places.bandwidth.values()].flatMap(({ version, dir }) =>
    bandwidthKeys(version, dirname(dir)),
  );
  for (const { group } of cpusPlaces(places)) {
    if (group !== undefined) keys.push(effectiveCpusKey(group.version, dirname(group.dir)));
  }
  return [...new Set(keys)];
}

/** A key as reports name it: a file below its controller's mount point, or `affinity TID`. */
export function reportedFile(key: string, mountPoints: readonly string[]): string {
  const mount = mountPoints.find((point) => key.startsWith(`${point}/`));
  return mount === undefined ? key : relative(mount, key);
}
