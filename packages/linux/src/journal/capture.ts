/** Takes first values, as the journal keeps them, of what is about to be written. */
import { statSync } from "node:fs";
import { dirname } from "node:path";
import { readDropIn } from "../cgroup/drop-in.ts";
import { threadsOfGroup } from "../cgroup/ownership.ts";
import { bandwidthKeys } from "../controls/bandwidth.ts";
import type { ControlIo } from "../controls/kernel-io.ts";
import type { GuestPlaces } from "../controls/places.ts";
import type { BaselineValue } from "../controls/restore-writes.ts";
import { weightKeys } from "../controls/weight.ts";
import { affinityKey, affinityTid, type Setting, type Write } from "../controls/write.ts";
import { bootTimeUs } from "../native/libc.ts";
import { USER_HZ } from "../proc/stat.ts";
import type { JournalEntry } from "./entries.ts";
import { startTimeOf } from "./host-lock.ts";
import { inheritedCpus } from "./inherited.ts";
import type { BaselineRecord, FileBaseline, GuestRun, ThreadBaseline } from "./records.ts";

export interface CaptureContext {
  io: Pick<ControlIo, "read">;
  procRoot: string;
  bootId: string;
  /** Where systemd keeps transient units; default: /run/systemd/transient. */
  systemdRoot?: string;
  /** CLOCK_BOOTTIME in microseconds. */
  nowUs?: () => number;
}

export type NewBaseline = Omit<BaselineRecord, "type" | "version">;

/**
 * First values of all that the writes will change, also what the kernel changes along with it: the rest of the same setting, and
 * the affinity of every thread of a group whose CPUs are set.
 * @param known what the journal has already
 * @returns undefined where nothing is new
 */
export function captureBaseline(
  guest: GuestRun,
  writes: readonly Write[],
  places: GuestPlaces,
  known: JournalEntry | undefined,
  context: CaptureContext,
): NewBaseline | undefined {
  const files = new Map<string, FileBaseline>();
  const threads = new Map<number, ThreadBaseline>();
  for (const write of writes.filter(({ op }) => op !== "move")) {
    for (const file of filesOf(write, places, context)) {
      if (known?.files.get(file.key)?.inode !== file.inode) files.set(file.key, file);
    }
    for (const thread of threadsOf(write, places, guest.pid, context)) {
      if (known?.threads.get(thread.tid)?.startTime === thread.startTime) continue;
      const cpus = known && inheritedCpus(thread, known, context);
      threads.set(thread.tid, cpus === undefined ? thread : { ...thread, cpus });
    }
  }
  if (files.size === 0 && threads.size === 0) return undefined;
  const { uuid, name, pid, startTime } = guest;
  return {
    bootId: context.bootId,
    guest: { uuid, name, pid, startTime },
    mountPoints: places.mountPoints,
    files: [...files.values()],
    threads: [...threads.values()],
  };
}

function filesOf(write: Write, places: GuestPlaces, context: CaptureContext): FileBaseline[] {
  if (write.setting === "affinity") return [];
  const dir = dirname(write.key);
  const version = versionOf(write, places);
  const keys: [string, Setting][] =
    write.setting === "bandwidth"
      ? bandwidthKeys(version, dir).map((key) => [key, "bandwidth"])
      : write.setting === "cpus"
        ? [[write.key, "cpus"]]
        : weightKeys(version, dir).map((key) => [key, key.endsWith("cpu.idle") ? "idle" : "weight"]);
  const inode = statSync(dir).ino;
  const unit = write.op === "unit" ? unitOf(write, context.systemdRoot) : {};
  return keys.flatMap(([key, setting]) => {
    const raw = context.io.read(key);
    return raw === undefined ? [] : [{ key, version, inode, target: write.target, setting, raw, ...unit }];
  });
}

function unitOf(
  { unit, property }: Write & { op: "unit" },
  systemdRoot: string | undefined,
): Pick<FileBaseline, "unit" | "dropIn"> {
  const dropIn = readDropIn(unit, property, systemdRoot);
  return dropIn === undefined ? { unit } : { unit, dropIn };
}

function versionOf(write: Write, places: GuestPlaces): 1 | 2 {
  const dir = dirname(write.key);
  const groups = [
    places.weight,
    ...places.bandwidth.values(),
    ...[...places.vcpuCpus.values(), places.emulatorCpus, ...places.ioThreadCpus].map((place) => place.group),
  ];
  return groups.find((group) => group?.dir === dir)?.version ?? 1;
}

function threadsOf(
  write: Write,
  places: GuestPlaces,
  pid: number,
  context: CaptureContext,
): ThreadBaseline[] {
  const tids =
    write.op === "affinity"
      ? [write.tid]
      : write.setting === "cpus"
        ? threadsOfGroup(dirname(write.key), versionOf(write, places))
        : [];
  const isOurs = write.op === "affinity";
  const heldSince = Math.floor((context.nowUs ?? bootTimeUs)() / (1_000_000 / USER_HZ));
  return tids
    .flatMap((tid) => threadBaseline(tid, write.target, pid, context) ?? [])
    .map((thread) => (isOurs ? { ...thread, heldSince } : thread));
}

/** A thread that ends in the middle has no baseline to go back to. */
function threadBaseline(
  tid: number,
  target: string,
  pid: number,
  context: CaptureContext,
): ThreadBaseline | undefined {
  const startTime = startTimeOf(context.procRoot, pid, tid);
  const cpus = context.io.read(affinityKey(tid));
  return startTime === undefined || cpus === undefined ? undefined : { tid, startTime, target, cpus };
}

/** Given values as an entry, for the groups and threads that are there now. */
export function entryOf(
  guest: GuestRun,
  baseline: readonly BaselineValue[],
  context: { procRoot: string; bootId: string; places: GuestPlaces },
): JournalEntry {
  const files: FileBaseline[] = [];
  const threads: ThreadBaseline[] = [];
  for (const { text, ...value } of baseline) {
    const tid = affinityTid(value.key);
    if (tid === undefined) {
      const group = statSync(dirname(value.key), { throwIfNoEntry: false });
      if (group !== undefined) files.push({ ...value, inode: group.ino, raw: `${text}\n` });
      continue;
    }
    const startTime = startTimeOf(context.procRoot, guest.pid, tid);
    if (startTime !== undefined) threads.push({ tid, startTime, target: value.target, cpus: text });
  }
  const { uuid, name, pid, startTime } = guest;
  const run = { uuid, name, pid, startTime };
  const { bootId, places } = context;
  return {
    bootId,
    guest: run,
    mountPoints: places.mountPoints,
    files: new Map(files.map((file) => [file.key, file])),
    threads: new Map(threads.map((thread) => [thread.tid, thread])),
  };
}
