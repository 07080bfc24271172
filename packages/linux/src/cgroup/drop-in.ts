/**
 * What `systemctl set-property` leaves of a guest's scope: `50-CPUWeight.conf` in a directory of the scope's own, which is gone with the
 * scope. systemd keeps it for transient units in /run/systemd/transient, whoever asked and however long it is to hold.
 */
import { rmdirSync, unlinkSync } from "node:fs";
import { join } from "node:path";
import { errorCode, readIfThere } from "../proc/read.ts";

export const TRANSIENT_UNITS = "/run/systemd/transient";

const dropInDir = (unit: string, root: string): string => join(root, `${unit}.d`);
const dropInFile = (unit: string, property: string, root: string): string =>
  join(dropInDir(unit, root), `50-${property}.conf`);

/** All bytes of the drop-in for one property, or undefined where there is none. */
export function readDropIn(unit: string, property: string, root = TRANSIENT_UNITS): string | undefined {
  return readIfThere(dropInFile(unit, property, root));
}

/** What a drop-in sets a property to: the last assignment counts (systemd.syntax(7)). */
export function assignedIn(dropIn: string, property: string): string | undefined {
  const lines = dropIn.split("\n").filter((line) => line.startsWith(`${property}=`));
  return lines
    .at(-1)
    ?.slice(property.length + 1)
    .trim();
}

/**
 * Removes a drop-in that says nothing: an empty assignment, which is what setting a property back to its default leaves. One that
 * says something is somebody's. systemd calls the unit changed on disk (`NeedDaemonReload`) until it is next reloaded, and
 * a reload changes nothing about it: reloading is left to whoever else needs it, since it resets what others wrote to their groups.
 * @returns whether there was one
 */
export function removeEmptyDropIn(unit: string, property: string, root = TRANSIENT_UNITS): boolean {
  const text = readDropIn(unit, property, root);
  if (text === undefined || assignedIn(text, property) !== "") return false;
  unlinkSync(dropInFile(unit, property, root));
  try {
    rmdirSync(dropInDir(unit, root));
  } catch (error) {
    // Other properties have drop-ins there as well.
    if (errorCode(error) !== "ENOTEMPTY") throw error;
  }
  return true;
}
