/** Small files of the run directory, which others read while they are written again and again. */
import { mkdirSync, renameSync, writeFileSync } from "node:fs";
import { errorCode } from "../proc/read.ts";

/**
 * Replaces a file as a whole, so that a reader never sees half of it. The directory is made only where it is missing: to ask
 * for it each time costs as much as the file.
 * @param file in `dir`
 * @throws what the file system says
 */
export function replaceFile(dir: string, file: string, text: string): void {
  const next = `${file}.new`;
  try {
    writeFileSync(next, text, { mode: 0o644 });
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
    mkdirSync(dir, { recursive: true, mode: 0o755 });
    writeFileSync(next, text, { mode: 0o644 });
  }
  renameSync(next, file);
}
