/**
 * What tests must leave as they found it: control groups, mounts, processes of the kinds that we start, and our
 * directories in the temporary directory. Other things may run on the machine at the same time: what tells by its
 * owner's pid or its ancestry that it is theirs is left out, and so are control groups of other software.
 */
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

export interface MachineState {
  cgroups: string[];
  mounts: string[];
  processes: string[];
  directories: string[];
}

const PROGRAMS =
  /^(libvirtd|virt(qemu|log|lock)d|qemu-system-.*|nats-server|redis-server|prometheus|prometheus-aler|dockerd|containerd.*|docker-proxy)$/;
/** Our names for control groups and directories carry the pid of their owner. */
const OWNED = /kvmgov-[a-z]+-(\d+)/;
const OUR_CGROUPS = /kvmgov|machine|libvirt|qemu/;

/** The state now. */
export function machineState(): MachineState {
  const roots = mounts().filter((mount) => / cgroup2?$/.test(mount));
  return {
    cgroups: roots
      .flatMap((mount) => directoriesBelow(mount.split(" ")[0] ?? ""))
      .filter(isOurKind)
      .sort(),
    mounts: mounts().sort(),
    processes: pids().flatMap(describeProcess).sort(),
    directories: readdirSync(tmpdir()).filter((name) => OWNED.test(name) && !isForeign(name)),
  };
}

export interface Changes {
  added: string[];
  removed: string[];
}

/**
 * What differs from an earlier state, once nothing does or after `timeoutMs`: for `expect(...).toEqual(NO_CHANGES)`.
 * That someone else's processes and directories went away is no change.
 */
export async function changesSince(before: MachineState, timeoutMs = 5000): Promise<Changes> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    const changes = difference(before, machineState());
    if (changes.added.length + changes.removed.length === 0 || Date.now() > deadline) return changes;
    await sleep(50);
  }
}

export const NO_CHANGES: Changes = { added: [], removed: [] };

function difference(before: MachineState, after: MachineState): Changes {
  const lasting = (state: MachineState): string[] => [...state.cgroups, ...state.mounts];
  const all = (state: MachineState): string[] => [
    ...lasting(state),
    ...state.processes,
    ...state.directories,
  ];
  return {
    added: without(all(after), all(before)),
    removed: without(lasting(before), lasting(after)).filter((name) => !OWNED.test(name)),
  };
}

function without(names: readonly string[], others: readonly string[]): string[] {
  const known = new Set(others);
  return names.filter((name) => !known.has(name));
}

/** Whether a process exists and is not a zombie (which its parent, or init, may be slow to bury). */
export function isAlive(pid: number): boolean {
  return programOf(pid) !== undefined;
}

function mounts(): string[] {
  const lines = readFileSync("/proc/self/mountinfo", "utf8").trim().split("\n");
  const all = lines.map((line) => `${line.split(" ")[4]} ${/ - (\S+)/.exec(line)?.[1]}`);
  // In the temporary directory others mount what they like.
  return all.filter((mount) => !mount.startsWith(tmpdir()) || OWNED.test(mount));
}

function directoriesBelow(dir: string): string[] {
  if (isForeign(dir)) return [];
  let entries;
  try {
    entries = readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    if (!existsSync(dir)) return []; // a group of someone else went away while we looked
    throw error;
  }
  return entries
    .filter((entry) => entry.isDirectory())
    .map((entry) => path.join(dir, entry.name))
    .filter((child) => !isForeign(child))
    .flatMap((child) => [child, ...directoriesBelow(child)]);
}

function isOurKind(cgroup: string): boolean {
  return OUR_CGROUPS.test(cgroup);
}

/** Whether a name carries the pid of a living process outside our family. A dead owner's leftovers count as ours. */
function isForeign(name: string): boolean {
  const owner = OWNED.exec(name)?.[1];
  return owner !== undefined && existsSync(`/proc/${owner}`) && !isFamily(Number(owner));
}

function pids(): number[] {
  return readdirSync("/proc").map(Number).filter(Number.isInteger);
}

function describeProcess(pid: number): string[] {
  const program = programOf(pid);
  if (program === undefined || !PROGRAMS.test(program)) return [];
  const groups = readOrNothing(`/proc/${pid}/cgroup`);
  if (OWNED.test(groups)) return isForeign(groups) ? [] : [`${program} ${pid}`];
  // An orphan has lost its ancestry: better report too much than miss what was left running.
  return isFamily(pid) || parentOf(pid) === 1 ? [`${program} ${pid}`] : [];
}

function isFamily(pid: number): boolean {
  for (let at = pid; at > 1; at = parentOf(at)) {
    if (at === process.pid) return true;
  }
  return false;
}

function parentOf(pid: number): number {
  return Number(afterName(pid)?.[1] ?? 0);
}

/** The name of a process; undefined for zombies and processes that are gone. */
function programOf(pid: number): string | undefined {
  const state = afterName(pid)?.[0];
  return state === undefined || state === "Z" ? undefined : readOrNothing(`/proc/${pid}/comm`).trim();
}

/** The fields of /proc/PID/stat after the name, which may itself contain spaces and parentheses: state, parent, ... */
function afterName(pid: number): string[] | undefined {
  const stat = readOrNothing(`/proc/${pid}/stat`);
  return stat === "" ? undefined : stat.slice(stat.lastIndexOf(")") + 2).split(" ");
}

function readOrNothing(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return ""; // the process is gone
  }
}
