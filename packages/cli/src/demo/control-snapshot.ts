/**
 * What the kernel holds the guests to, byte for byte, before and after: every control file of a guest's groups and of
 * the groups above them, and the affinity and groups of every thread.
 */
import { readFileSync, readdirSync } from "node:fs";
import path from "node:path";
import { SyscallError, getAffinity, locateGuest } from "@kvm-governor/linux";
import type { GuestCgroups } from "@kvm-governor/linux";

/** Name of a file, or of a property of a thread, with its content. */
export type ControlSnapshot = ReadonlyMap<string, string>;

export interface SnapshotGuest {
  name: string;
  pid: number;
  vcpuTids: readonly number[];
}

/** Files of these controllers, without those that count or that list processes. */
const CONTROL = /^(cpu|cpuset)\./;
const COUNTER = /^(cpu\.stat|cpu\.stat\.local|cpu\.pressure|cpuset\.memory_pressure)$/;

/** The groups of a guest, found anew: they belong to this run of it. */
export function groupsOf(guest: SnapshotGuest): GuestCgroups {
  const vcpus = guest.vcpuTids.map((tid, index) => ({ index, tid }));
  return locateGuest({ pid: guest.pid, vcpus, ioThreads: [] }) ?? {};
}

export function takeSnapshot(guests: readonly SnapshotGuest[]): ControlSnapshot {
  const snapshot = new Map<string, string>();
  for (const guest of guests) {
    for (const dir of groupDirectories(groupsOf(guest))) readControls(dir, snapshot);
    readThreads(guest, snapshot);
  }
  return snapshot;
}

/** Groups of the guest and of its threads, and those above them up to the mount point. */
function groupDirectories(groups: GuestCgroups): Set<string> {
  const dirs = new Set<string>();
  for (const { guest, mountPoint } of [groups.cpu, groups.cpuset].flatMap((found) => found ?? [])) {
    if (guest === undefined) continue;
    for (let dir = guest; dir !== mountPoint; dir = path.dirname(dir)) dirs.add(dir);
    for (const entry of readdirSync(guest, { withFileTypes: true, recursive: true })) {
      if (entry.isDirectory()) dirs.add(path.join(entry.parentPath, entry.name));
    }
  }
  return dirs;
}

function readControls(dir: string, snapshot: Map<string, string>): void {
  for (const name of readdirSync(dir)) {
    if (!CONTROL.test(name) || COUNTER.test(name)) continue;
    const file = path.join(dir, name);
    snapshot.set(file, readFileSync(file, "latin1"));
  }
}

/** QEMU starts and ends worker threads as it likes: those are compared only while they live. */
function readThreads(guest: SnapshotGuest, snapshot: Map<string, string>): void {
  for (const tid of readdirSync(`/proc/${guest.pid}/task`).map(Number)) {
    const thread = `/proc/${guest.pid}/task/${tid}`;
    try {
      snapshot.set(`${thread} affinity`, getAffinity(tid).join(","));
      snapshot.set(`${thread}/cgroup`, readFileSync(`${thread}/cgroup`, "latin1"));
    } catch (error) {
      if (!isGone(error)) throw error;
      snapshot.delete(`${thread} affinity`);
    }
  }
}

function isGone(error: unknown): boolean {
  if (error instanceof SyscallError) return error.code === "ESRCH";
  const { code } = error as NodeJS.ErrnoException;
  return code === "ENOENT" || code === "ESRCH";
}

/** What differs, in words. Threads that came or went in between are no difference; files are. */
export function differences(before: ControlSnapshot, after: ControlSnapshot): string[] {
  const found: string[] = [];
  for (const name of new Set([...before.keys(), ...after.keys()])) {
    const [was, is] = [before.get(name), after.get(name)];
    if (was === is) continue;
    const isThread = name.startsWith("/proc/");
    if (isThread && (was === undefined || is === undefined)) continue;
    found.push(`${name}: was ${quote(was)}, is ${quote(is)}`);
  }
  return found;
}

function quote(text: string | undefined): string {
  return text === undefined ? "absent" : JSON.stringify(text);
}
