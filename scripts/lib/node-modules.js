/** The npm packages of this repository, installed when they are missing or not those of package-lock.json. */
import { existsSync, readFileSync } from "node:fs";
import path from "node:path";
import { ROOT, log } from "./launch.js";
import { withLock } from "./lock.js";
import { run } from "./run.js";

/** @typedef {{ version?: string, link?: boolean, optional?: boolean }} LockEntry */

/** Installs with `npm ci` unless what is installed is what package-lock.json says. Silent when there is nothing to do. */
export async function ensureNodeModules(root = ROOT) {
  if (isInstalled(root)) return;
  // Two launchers at once: the second waits, then finds everything in place.
  await withLock(path.join(root, "package-lock.json"), async () => {
    if (isInstalled(root)) return;
    log("npm packages: installing those of package-lock.json (npm ci)");
    await run("npm", ["ci", "--no-audit", "--no-fund", "--loglevel=error"], { cwd: root });
  });
}

/**
 * npm writes what it installed to a lock file of its own, as the last thing: a killed installation has none.
 * Packages for other platforms may be absent.
 * @param {string} root
 */
export function isInstalled(root) {
  const installedFile = path.join(root, "node_modules/.package-lock.json");
  if (!existsSync(installedFile)) return false;
  const wanted = entries(path.join(root, "package-lock.json"));
  const installed = entries(installedFile);
  return Object.entries(wanted)
    .filter(([key, entry]) => key.includes("node_modules/") && entry.optional !== true)
    .every(([key, entry]) => installed[key] !== undefined && installed[key]?.version === entry.version);
}

/**
 * @param {string} file
 * @returns {Record<string, LockEntry>}
 */
function entries(file) {
  return JSON.parse(readFileSync(file, "utf8")).packages;
}
