import { createHash } from "node:crypto";

/** Whether a guest is among the first `percent` of all guests, which are the same on every host and at every time. */
export function isRolledOut(uuid: string, percent: number): boolean {
  const place = createHash("sha256").update(uuid).digest().readUInt32BE(0) / 2 ** 32;
  return place * 100 < percent;
}
