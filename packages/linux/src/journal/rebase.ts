/**
 * When libvirt is told to change a guest that is held (`virsh schedinfo`, `vcpupin`), what it was told is what the guest goes back to: an
 * administrator's decision must not be undone by restoring to the time before it. libvirt's own record tells such a change from
 * a stray write, which changes no baseline. See docs/decisions.
 */
import { dirname } from "node:path";
import { formatCpuList } from "@kvm-governor/policy";
import { readValues, withoutNewline, type ControlIo } from "../controls/kernel-io.ts";
import { cpusetKey } from "../controls/cpuset.ts";
import { cpusPlaces, settableKeys, type GuestPlaces } from "../controls/places.ts";
import type { BaselineValue } from "../controls/restore-writes.ts";
import { affinityKey } from "../controls/write.ts";
import type { Guest } from "../guests/guest.ts";
import { configuredBaseline } from "./configured.ts";
import type { JournalEntry } from "./entries.ts";
import type { NewBaseline } from "./capture.ts";
import type { FileBaseline, ThreadBaseline } from "./records.ts";

export interface RebaseInput {
  /** The same run of a guest, before and after libvirt's record of it changed. */
  before: Guest;
  after: Guest;
  entry: JournalEntry;
  places: GuestPlaces;
  io: Pick<ControlIo, "read">;
  onlineCpus: readonly number[];
}

/** One value that is from now on another first value. */
export interface BaselineChange {
  target: string;
  setting: BaselineValue["setting"];
  key: string;
  old: string;
  new: string;
}

/** @returns undefined where nothing changed that the journal holds: what was never touched has no first value yet */
export function rebaseOn(input: RebaseInput): { record: NewBaseline; changes: BaselineChange[] } | undefined {
  const { entry } = input;
  const changes: BaselineChange[] = [];
  const files: FileBaseline[] = [];
  const threads: ThreadBaseline[] = [];
  for (const { key, target, setting, text } of configurationChanges(input)) {
    const file = entry.files.get(key);
    if (file !== undefined && withoutNewline(file.raw) !== text) {
      files.push({ ...file, raw: `${text}\n` });
      changes.push({ target, setting, key, old: withoutNewline(file.raw), new: text });
    }
    if (setting !== "cpus" && setting !== "affinity") continue;
    const cpus = text === "" ? formatCpuList(input.onlineCpus) : text;
    for (const thread of entry.threads.values()) {
      const isMeant = setting === "cpus" ? thread.target === target : affinityKey(thread.tid) === key;
      if (!isMeant || thread.cpus === cpus) continue;
      threads.push({ ...thread, cpus });
      changes.push({
        target,
        setting: "affinity",
        key: affinityKey(thread.tid),
        old: thread.cpus,
        new: cpus,
      });
    }
  }
  if (changes.length === 0) return undefined;
  const { bootId, guest, mountPoints } = entry;
  return { record: { bootId, guest, mountPoints, files, threads }, changes };
}

/** What the new record asks for, where the old one asked for something else. */
function configurationChanges({ before, after, places, io, onlineCpus }: RebaseInput): BaselineValue[] {
  if (before.configured === undefined || after.configured === undefined) return [];
  const parents = cpusPlaces(places).flatMap(({ group }) =>
    group === undefined ? [] : cpusetKey(dirname(group.dir)),
  );
  const values = readValues(io, new Set([...settableKeys(places), ...parents]));
  const old = new Map(
    configuredBaseline(before.configured, places, values, onlineCpus).map(({ key, text }) => [key, text]),
  );
  return configuredBaseline(after.configured, places, values, onlineCpus).filter(
    ({ key, text }) => old.get(key) !== text,
  );
}
