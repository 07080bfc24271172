/** The tree of a release: bundles, the Node that runs them, what is read beside them, configuration and units to install. */
import { createHash } from "node:crypto";
import { chmod, mkdir, readFile, readdir, rm, writeFile } from "node:fs/promises";
import path from "node:path";
import { ROOT } from "../lib/launch.js";
import { copy, copyForClassifier, copyNative, copyPackage, copyReadFiles } from "./beside.js";
import { bundle } from "./bundle.js";
import { IMAGE_NAMES } from "./image.js";
import { readManifest } from "./manifest.js";
import { NOTICES, notices } from "./notices.js";
import { platformPackages } from "./platform.js";
import { sbom } from "./sbom.js";

/** Whole directories and files, by where they are in the repository and in the release. */
const COPIES = /** @type {const} */ ([
  ["deploy/release/bin", "bin"],
  ["deploy/config", "config"],
  ["deploy/systemd", "systemd"],
  ["deploy/prometheus", "deploy/prometheus"],
  ["deploy/alertmanager", "deploy/alertmanager"],
  ["deploy/nats", "deploy/nats"],
  ["deploy/redis", "deploy/redis"],
  ["deploy/ssh", "deploy/ssh"],
  ["docs/kvmgov.1", "man/kvmgov.1"],
  ["docs/operations.md", "docs/operations.md"],
  ["docs/configuration.md", "docs/configuration.md"],
  ["docs/metrics.md", "docs/metrics.md"],
  ["docs/runbooks", "docs/runbooks"],
  ["CHANGELOG.md", "CHANGELOG.md"],
  ["LICENSE", "LICENSE"],
]);

/**
 * @param {string} dir made anew
 * @param {string} arch processor that it is for, as Node names it
 * @returns {Promise<{ version: string }>}
 * @throws {UnsupportedArchitectureError}
 */
export async function makeTree(dir, arch) {
  const platform = platformPackages(arch);
  await rm(dir, { recursive: true, force: true });
  await mkdir(dir, { recursive: true });
  const { name, version, description, license } = await readManifest();
  await writeFile(
    path.join(dir, "package.json"),
    `${JSON.stringify({ name, version, description, license, type: "module", formats: await formats() }, null, 2)}\n`,
  );
  for (const [from, to] of COPIES) await copy(from, path.join(dir, to));
  await copyPackage(platform.node, path.join(dir, "bin/node"), "bin/node");
  await copyNative(dir, arch);
  await copyForClassifier(dir);
  await copyReadFiles("packages/lab/src", dir);
  await bundle(path.join(dir, "lib"));
  await writeSboms(dir);
  await writeFile(path.join(dir, NOTICES), await notices(ROOT, arch));
  await chmod(path.join(dir, "bin/node"), 0o755);
  await writeFile(path.join(dir, "SHA256SUMS"), await sums(dir));
  return { version };
}

/** Of the whole, and of each image alone. @param {string} dir */
async function writeSboms(dir) {
  await writeFile(path.join(dir, "sbom.cdx.json"), await sbom());
  await mkdir(path.join(dir, "sbom"));
  for (const name of IMAGE_NAMES)
    await writeFile(path.join(dir, `sbom/${name}.cdx.json`), await sbom(`services/${name}`));
}

/** Versions of what is kept on disk: an older release must not meet a newer one's. */
async function formats() {
  const source = await readFile(path.join(ROOT, "packages/linux/src/journal/records.ts"), "utf8");
  const journal = Number(/^export const JOURNAL_VERSION = (\d+);$/m.exec(source)?.[1]);
  if (!Number.isInteger(journal)) throw new Error("records.ts does not say the version of the journal");
  return { journal };
}

/**
 * In the form of sha256sum(1).
 * @param {string} dir
 */
async function sums(dir) {
  const files = (await readdir(dir, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)))
    .sort();
  const lines = await Promise.all(
    files.map(async (file) => {
      const hash = createHash("sha256").update(await readFile(path.join(dir, file)));
      return `${hash.digest("hex")}  ${file}\n`;
    }),
  );
  return lines.join("");
}
