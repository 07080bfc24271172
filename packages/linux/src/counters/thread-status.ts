/** Context switches of a thread from /proc/TID/status (proc(5)): dear, 6.6 us a read, since the kernel prints all of it. */
import { numberAfter } from "./digits.ts";

export interface SwitchCounts {
  /** The thread gave up its CPU: it waits for something. */
  voluntary: number;
  /** The thread was put off its CPU: others wanted it. */
  involuntary: number;
}

const VOLUNTARY = Buffer.from("\nvoluntary_ctxt_switches:");
const INVOLUNTARY = Buffer.from("\nnonvoluntary_ctxt_switches:");

/** @returns false where the lines are missing */
export function readStatusSwitches(bytes: Buffer, length: number, out: SwitchCounts): boolean {
  const voluntary = numberAfter(bytes, length, VOLUNTARY);
  const involuntary = numberAfter(bytes, length, INVOLUNTARY);
  if (voluntary === undefined || involuntary === undefined) return false;
  out.voluntary = voluntary;
  out.involuntary = involuntary;
  return true;
}
