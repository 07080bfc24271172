/** Gives systemd back what it held about a guest's weight: the drop-in that was there, or none. */
import { assignedIn, readDropIn, removeEmptyDropIn, TRANSIENT_UNITS } from "../cgroup/drop-in.ts";
import { WEIGHT_DEFAULT } from "../controls/bounds.ts";
import { withoutNewline, type ControlIo } from "../controls/kernel-io.ts";
import { UNIT_WEIGHT } from "../controls/weight.ts";
import type { FileBaseline } from "./records.ts";

/**
 * To be called when the weight itself is restored. Never throws: what stays of a drop-in changes nothing in the kernel.
 * @returns what could not be done
 */
export async function restoreDropIns(
  files: readonly FileBaseline[],
  io: Pick<ControlIo, "write">,
  root = TRANSIENT_UNITS,
): Promise<string[]> {
  const notes: string[] = [];
  for (const file of files) {
    if (file.setting !== "weight" || file.unit === undefined) continue;
    try {
      await restoreDropIn({ ...file, unit: file.unit }, io, root);
    } catch (error) {
      notes.push(`the drop-in of ${file.unit} stays: ${(error as Error).message}`);
    }
  }
  return notes;
}

async function restoreDropIn(
  { unit, dropIn, key, target, setting, raw }: FileBaseline & { unit: string },
  io: Pick<ControlIo, "write">,
  root: string,
): Promise<void> {
  if (dropIn === undefined) {
    removeEmptyDropIn(unit, UNIT_WEIGHT, root);
    return;
  }
  const value = assignedIn(dropIn, UNIT_WEIGHT);
  const text = withoutNewline(raw);
  // Where libvirt was told another weight in the meantime, what the drop-in said then is of the past.
  if (value === undefined || (value === "" ? String(WEIGHT_DEFAULT) : value) !== text) return;
  if (readDropIn(unit, UNIT_WEIGHT, root) === dropIn) return;
  await io.write({ op: "unit", unit, property: UNIT_WEIGHT, value, key, target, setting, text });
}
