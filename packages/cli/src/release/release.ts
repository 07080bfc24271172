/** A release's tree: what it says of itself, and whether it is whole. */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { pipeline } from "node:stream/promises";

/** Formats of what is kept on disk; a release reads those up to its own. */
export interface Formats {
  journal: number;
}

export interface ReleaseInfo {
  version: string;
  formats: Formats;
}

/** A tree that is no release, or a damaged one. */
export class ReleaseError extends Error {
  override readonly name = "ReleaseError";
}

const SUMS = "SHA256SUMS";

/** @throws {ReleaseError} not a release, or one that does not say what it is */
export function readRelease(dir: string): ReleaseInfo {
  if (!existsSync(path.join(dir, SUMS))) {
    throw new ReleaseError(
      `${dir} is no unpacked release (it has no ${SUMS}): make one by "npm run release"`,
    );
  }
  const manifest = JSON.parse(readFileSync(path.join(dir, "package.json"), "utf8")) as Partial<ReleaseInfo>;
  const { version, formats } = manifest;
  if (typeof version !== "string" || !/^\d+\.\d+\.\d+[\w.+-]*$/.test(version)) {
    throw new ReleaseError(`${dir}/package.json: version ${JSON.stringify(version)} is none`);
  }
  if (!Number.isInteger(formats?.journal))
    throw new ReleaseError(`${dir}/package.json: formats.journal is missing`);
  return { version, formats: { journal: formats?.journal ?? 0 } };
}

/**
 * Compares every file with SHA256SUMS.
 * @throws {ReleaseError} naming the first file that differs or is missing
 */
export async function verifyRelease(dir: string): Promise<readonly string[]> {
  const files: string[] = [];
  for (const line of readFileSync(path.join(dir, SUMS), "utf8").trimEnd().split("\n")) {
    const [, sum, file] = /^([0-9a-f]{64}) {2}(.+)$/.exec(line) ?? [];
    if (
      sum === undefined ||
      file === undefined ||
      path.normalize(file) !== file ||
      file.startsWith("..") ||
      path.isAbsolute(file)
    ) {
      throw new ReleaseError(`${dir}/${SUMS}: cannot be read at "${line}"`);
    }
    if ((await sumOf(path.join(dir, file))) !== sum) {
      throw new ReleaseError(`${path.join(dir, file)} is not as it was released: unpack the archive again`);
    }
    files.push(file);
  }
  return files;
}

async function sumOf(file: string): Promise<string> {
  if (!existsSync(file)) return "";
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return hash.digest("hex");
}
