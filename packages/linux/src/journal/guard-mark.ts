/** `runDir/guard.alive`: written by whoever stands guard over the actuator, for as long as it does. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { readIfThere } from "../proc/read.ts";
import { replaceFile } from "./replace-file.ts";

/** A guard that has not been heard of for longer does not count, in milliseconds. */
export const GUARD_SILENCE_MS_MAX = 5000;

const guardFile = (runDir: string): string => join(runDir, "guard.alive");

/** To be called about once a second. */
export function writeGuardMark(runDir: string, bootTimeUs: number): void {
  replaceFile(runDir, guardFile(runDir), `${bootTimeUs}\n`);
}

export function removeGuardMark(runDir: string): void {
  rmSync(guardFile(runDir), { force: true });
}

/** Whether somebody stands guard: would restore in the place of an actuator that is gone. */
export function hasGuard(runDir: string, nowUs: number): boolean {
  const text = readIfThere(guardFile(runDir));
  if (text === undefined || !/^\d+\n$/.test(text)) return false;
  const silenceUs = nowUs - Number(text);
  return silenceUs >= 0 && silenceUs <= GUARD_SILENCE_MS_MAX * 1000;
}
