/**
 * `runDir/actuator.page`: where the actuator's pages are. Written by the actuator as it begins to listen; the collector
 * of the same host tells the fleet, in its host message. It stays when the actuator ends: one that is away is to be missed.
 */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readIfThere } from "../proc/read.ts";

const URL_LENGTH_MAX = 2048;
const pageFile = (runDir: string): string => join(runDir, "actuator.page");

/** Replaced as a whole, so that a reader never sees half of it. */
export function writePageMark(runDir: string, url: string): void {
  mkdirSync(runDir, { recursive: true, mode: 0o755 });
  writeFileSync(`${pageFile(runDir)}.new`, `${url}\n`, { mode: 0o644 });
  renameSync(`${pageFile(runDir)}.new`, pageFile(runDir));
}

/** @returns undefined where there is none, or it is no address of a page */
export function readPageMark(runDir: string): string | undefined {
  const url = readIfThere(pageFile(runDir))?.trimEnd();
  if (url === undefined || url.length > URL_LENGTH_MAX || !/^https?:\/\/\S+$/.test(url)) return undefined;
  return URL.canParse(url) ? url : undefined;
}
