/** `runDir/actuator.alive`: written by the actuator at every turn of its loop and before it applies a plan, read by whoever stands guard over it. */
import { rmSync } from "node:fs";
import { join } from "node:path";
import { readIfThere } from "../proc/read.ts";
import { replaceFile } from "./replace-file.ts";

export interface Heartbeat {
  pid: number;
  /** CLOCK_BOOTTIME of the turn, in microseconds. */
  bootTimeUs: number;
  /** When the plan that is held becomes void, in microseconds of CLOCK_BOOTTIME; absent: none is held. */
  expiresAtUs?: number;
  /** Whether any guest is held away from its baseline: only then must somebody restore in the actuator's place. */
  holding: boolean;
  /** It ended and left guests held on purpose, for the next actuator to go on with. */
  isLeft?: boolean;
}

export const heartbeatFile = (runDir: string): string => join(runDir, "actuator.alive");

/** Replaced as a whole, so that a reader never sees half of it. */
export function writeHeartbeat(runDir: string, heartbeat: Heartbeat): void {
  replaceFile(runDir, heartbeatFile(runDir), `${JSON.stringify(heartbeat)}\n`);
}

export function removeHeartbeat(runDir: string): void {
  rmSync(heartbeatFile(runDir), { force: true });
}

/** @returns undefined where there is none, or it is not one of ours */
export function readHeartbeat(runDir: string): Heartbeat | undefined {
  const text = readIfThere(heartbeatFile(runDir));
  if (text === undefined) return undefined;
  try {
    const value = JSON.parse(text) as Partial<Heartbeat>;
    const isWhole = Number.isInteger(value.pid) && Number.isFinite(value.bootTimeUs);
    return isWhole && typeof value.holding === "boolean" ? (value as Heartbeat) : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
