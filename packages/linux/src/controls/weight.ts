/**
 * Weight of a guest's group against others, or idle: below every weight (sched(7), SCHED_IDLE for a whole group).
 *
 *     v1   cpu.shares 2…262144   cpu.idle 0|1
 *     v2   cpu.weight 1…10000    cpu.idle 0|1
 */
import { join } from "node:path";
import { SHARES_DEFAULT, WEIGHT_DEFAULT } from "./bounds.ts";
import type { Values, Write } from "./write.ts";

export interface WeightState {
  /** Raw value of `cpu.shares` or `cpu.weight`. Means nothing while idle: the kernel then prints 3 or 0. */
  weight: number;
  /** Absent where the kernel has no `cpu.idle` (before 5.15). */
  idle: boolean | undefined;
}

/** The property of a unit that holds both. */
export const UNIT_WEIGHT = "CPUWeight";

const weightFile = (version: 1 | 2): string => (version === 1 ? "cpu.shares" : "cpu.weight");

/** Files that hold a group's weight. */
export function weightKeys(version: 1 | 2, dir: string): string[] {
  return [join(dir, weightFile(version)), join(dir, "cpu.idle")];
}

/** @returns undefined where there is no such file (the root group) */
export function weightOf(version: 1 | 2, dir: string, values: Values): WeightState | undefined {
  const weight = values.get(join(dir, weightFile(version)));
  const idle = values.get(join(dir, "cpu.idle"));
  if (weight === undefined) return undefined;
  return { weight: Number(weight), idle: idle === undefined ? undefined : idle !== "0" };
}

/** The files' values for a state. Those of an idle group's weight are left out: nobody can choose them. */
export function weightValues(version: 1 | 2, dir: string, state: WeightState): Map<string, string> {
  const values = new Map<string, string>();
  if (state.idle !== undefined) values.set(join(dir, "cpu.idle"), state.idle ? "1" : "0");
  if (state.idle !== true) values.set(join(dir, weightFile(version)), String(state.weight));
  return values;
}

export interface WeightChange {
  version: 1 | 2;
  target: string;
  dir: string;
  /** systemd unit that owns the group: systemd would undo a write to its files at the next daemon-reload. */
  unit?: string;
  from: WeightState;
  to: WeightState;
}

/**
 * Writes that take a group from one weight to another. Leaving idle resets the weight to the kernel's default, and a weight
 * while idle is EINVAL: idle is cleared first, then the weight is written.
 */
export function weightWrites(change: WeightChange): Write[] {
  const { version, dir, from, to } = change;
  const idleKey = join(dir, "cpu.idle");
  const weightKey = join(dir, weightFile(version));
  const writes: Write[] = [];
  if (from.idle !== to.idle && to.idle !== undefined) {
    writes.push(weightWrite(change, "idle", idleKey, to.idle ? "1" : "0"));
  }
  const reset = from.idle === true && to.idle !== true;
  const present = reset ? (version === 1 ? SHARES_DEFAULT : WEIGHT_DEFAULT) : from.weight;
  if (to.idle !== true && present !== to.weight) {
    writes.push(weightWrite(change, "weight", weightKey, String(to.weight)));
  }
  return change.unit === undefined ? writes : unitWrites(change, change.unit, writes);
}

function weightWrite(change: WeightChange, setting: "idle" | "weight", key: string, text: string): Write {
  return { op: "file", target: change.target, setting, key, text };
}

/** systemd sets both files from one property: `idle`, a weight, or nothing for its default (systemd.resource-control(5)). */
function unitWrites(change: WeightChange, unit: string, writes: readonly Write[]): Write[] {
  const last = writes.at(-1);
  if (last === undefined) return [];
  const isDefault = change.to.weight === WEIGHT_DEFAULT;
  const value = change.to.idle === true ? "idle" : isDefault ? "" : String(change.to.weight);
  return [{ ...last, op: "unit", unit, property: UNIT_WEIGHT, value }];
}
