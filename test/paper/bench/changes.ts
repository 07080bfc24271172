/** Raw settings of the kernel, made and taken back: control files of cgroup v1, affinities and slices of threads. */
import { getAffinity, setAffinity } from "@kvm-governor/linux";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { KERNELS_SLICE_NS, getSliceNs, setSliceNs } from "./slice.ts";

export type Change =
  | { kind: "file"; dir: string; name: string; text: string }
  | { kind: "affinity"; tid: number; cpus: readonly number[] }
  | { kind: "slice"; tid: number; ns: number };

/** A setting could not be made or not be taken back. The message names it. */
export class ChangeError extends Error {
  override readonly name = "ChangeError";
}

/** Hazard: the kernel gives a group weight 1024 when `cpu.idle` is taken from it, whatever it had. */
const CHANGES_TOO: ReadonlyMap<string, string> = new Map([["cpu.idle", "cpu.shares"]]);

type Undo = () => void;

/**
 * Makes the changes in order.
 * @returns takes back all of them, last first; throws a {@link ChangeError} after it has tried each
 * @throws {ChangeError} one was refused; those before it are taken back
 */
export function makeChanges(changes: readonly Change[]): Undo {
  const undos: { change: Change; undo: Undo }[] = [];
  const takeBack = (): void => {
    const failed = undos
      .splice(0)
      .toReversed()
      .flatMap(({ change, undo }) => failureOf(change, undo));
    if (failed.length > 0) throw new ChangeError(failed.join("; "));
  };
  for (const change of changes) {
    try {
      undos.push({ change, undo: make(change) });
    } catch (cause) {
      takeBack();
      throw new ChangeError(`${nameOf(change)}: ${(cause as Error).message}`, { cause });
    }
  }
  return takeBack;
}

function failureOf(change: Change, undo: Undo): string[] {
  try {
    undo();
    return [];
  } catch (error) {
    return [`${nameOf(change)} could not be taken back: ${(error as Error).message}`];
  }
}

function make(change: Change): Undo {
  switch (change.kind) {
    case "file":
      return putFile(change.dir, change.name, change.text);
    case "affinity":
      return putAffinity(change.tid, change.cpus);
    case "slice":
      return putSlice(change.tid, change.ns);
  }
}

function putFile(dir: string, name: string, text: string): Undo {
  const files = [name, ...(CHANGES_TOO.has(name) ? [CHANGES_TOO.get(name) ?? name] : [])].map((each) =>
    path.join(dir, each),
  );
  const before = files.map((file) => [file, readFileSync(file, "latin1").trim()] as const);
  writeFileSync(path.join(dir, name), text);
  return () => before.forEach(([file, was]) => writeFileSync(file, was));
}

function putAffinity(tid: number, cpus: readonly number[]): Undo {
  const before = getAffinity(tid);
  setAffinity(tid, cpus);
  return () => setAffinity(tid, before);
}

function putSlice(tid: number, ns: number): Undo {
  const before = getSliceNs(tid);
  setSliceNs(tid, ns);
  const is = getSliceNs(tid);
  if (is !== ns) {
    setSliceNs(tid, KERNELS_SLICE_NS);
    throw new ChangeError(`the kernel made it ${is} ns`);
  }
  return () => {
    setSliceNs(tid, KERNELS_SLICE_NS);
    // Somebody else's slice, not the kernel's own choice.
    if (getSliceNs(tid) !== before) setSliceNs(tid, before);
  };
}

function nameOf(change: Change): string {
  switch (change.kind) {
    case "file":
      return `${change.text} in ${path.join(change.dir, change.name)}`;
    case "affinity":
      return `CPUs ${change.cpus.join(",")} of thread ${change.tid}`;
    case "slice":
      return `slice ${change.ns} ns of thread ${change.tid}`;
  }
}
