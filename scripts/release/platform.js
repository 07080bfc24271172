/** What of a release is made for one processor: Node and koffi's binary. All else is the same on each. */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readFile } from "node:fs/promises";
import path from "node:path";
import { architecture } from "../lib/architecture.js";
import { ROOT } from "../lib/launch.js";
import { run } from "../lib/run.js";

/** The registry gave another package than package-lock.json names. */
export class PackageIntegrityError extends Error {
  /** @param {string} message */
  constructor(message) {
    super(message);
    this.name = "PackageIntegrityError";
  }
}

/**
 * Names of the packages.
 * @param {string} arch as Node names it
 * @throws {UnsupportedArchitectureError}
 */
export function platformPackages(arch) {
  architecture(arch);
  return { node: `node-linux-${arch}`, koffi: `@koromix/koffi-linux-${arch}` };
}

/**
 * Where a package of package-lock.json lies: in node_modules, or, if it is for another processor than this machine's, fetched into `dir`.
 * @param {string} name
 * @param {string} dir
 * @returns {Promise<string>}
 * @throws {PackageIntegrityError} what was fetched is not what package-lock.json names
 */
export async function packageDir(name, dir) {
  const installed = path.join(ROOT, "node_modules", name);
  if (existsSync(installed)) return installed;
  const lock = JSON.parse(await readFile(path.join(ROOT, "package-lock.json"), "utf8"));
  const { version, integrity } = lock.packages[`node_modules/${name}`];
  const target = path.join(dir, name);
  await mkdir(target, { recursive: true });
  const said = await run("npm", ["pack", `${name}@${version}`, "--json", `--pack-destination=${dir}`], {
    cwd: ROOT,
  });
  const archive = path.join(dir, JSON.parse(said)[0].filename);
  await verify(archive, integrity, `${name} ${version}`);
  await run("tar", ["-xzf", archive, "-C", target, "--strip-components=1"]);
  return target;
}

/**
 * @param {string} file
 * @param {string} integrity as in package-lock.json: `ALGORITHM-BASE64` (Subresource Integrity)
 * @param {string} what
 */
async function verify(file, integrity, what) {
  const [algorithm = "", wanted] = integrity.split(/-(.*)/s);
  const found = createHash(algorithm)
    .update(await readFile(file))
    .digest("base64");
  if (found !== wanted)
    throw new PackageIntegrityError(`${what} is not the package that package-lock.json names`);
}
