/** The repository's package.json. */
import { readFile } from "node:fs/promises";
import path from "node:path";
import { ROOT } from "../lib/launch.js";

/** @returns {Promise<{ name: string, version: string, description: string, license: string }>} */
export async function readManifest() {
  return JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8"));
}
