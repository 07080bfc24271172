/** The tree of a release: bundles, the Node that runs them, what is read beside them, configuration and units to install. */
import { createHash } from "node:crypto";
import { chmod, cp, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ROOT } from "../lib/launch.js";
import { run } from "../lib/run.js";
import { bundle } from "./bundle.js";
import { notices } from "./notices.js";
import { packageDir, platformPackages } from "./platform.js";

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
  // What the console sends of it.
  ...["package.json", "dist/uPlot.esm.js", "dist/uPlot.min.css"].map(
    (file) => /** @type {const} */ ([`node_modules/uplot/${file}`, `node_modules/uplot/${file}`]),
  ),
]);

/** Sources of these read files that lie beside them. */
const WITH_FILES = ["packages/lab/src", "services/classifier/src"];
/** Served to browsers from its sources. */
const WHOLE_SOURCES = ["packages/console/src"];

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
  const manifest = JSON.parse(await readFile(path.join(ROOT, "package.json"), "utf8"));
  const { name, version, description, license } = manifest;
  await writeFile(
    path.join(dir, "package.json"),
    `${JSON.stringify({ name, version, description, license, type: "module", formats: await formats() }, null, 2)}\n`,
  );
  for (const [from, to] of COPIES) await copy(from, path.join(dir, to));
  await copyPlatform(platform, dir);
  await copy("node_modules/koffi", path.join(dir, "node_modules/koffi"), isScript);
  for (const source of WHOLE_SOURCES) await copy(source, path.join(dir, source), isNoTest);
  for (const source of WITH_FILES) await copy(source, path.join(dir, source), isNoSource);
  await bundle(path.join(dir, "lib"));
  await writeFile(path.join(dir, "sbom.cdx.json"), await sbom());
  await writeFile(path.join(dir, "THIRD-PARTY-NOTICES.txt"), await notices(ROOT, arch));
  await chmod(path.join(dir, "bin/node"), 0o755);
  await writeFile(path.join(dir, "SHA256SUMS"), await sums(dir));
  return { version };
}

/**
 * @param {{ node: string, koffi: string }} names of packages
 * @param {string} dir
 */
async function copyPlatform({ node, koffi }, dir) {
  const fetched = await mkdtemp(path.join(tmpdir(), "kvmgov-release-"));
  try {
    await cp(path.join(await packageDir(node, fetched), "bin/node"), path.join(dir, "bin/node"));
    await cp(await packageDir(koffi, fetched), path.join(dir, "node_modules", koffi), { recursive: true });
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
}

/**
 * @param {string} from
 * @param {string} to
 * @param {(file: string) => boolean} [isWanted]
 */
async function copy(from, to, isWanted = () => true) {
  const filter = (/** @type {string} */ file) => isWanted(file);
  await cp(path.join(ROOT, from), to, { recursive: true, dereference: true, filter });
}

/** Versions of what is kept on disk: an older release must not meet a newer one's. */
async function formats() {
  const source = await readFile(path.join(ROOT, "packages/linux/src/journal/records.ts"), "utf8");
  const journal = Number(/^export const JOURNAL_VERSION = (\d+);$/m.exec(source)?.[1]);
  if (!Number.isInteger(journal)) throw new Error("records.ts does not say the version of the journal");
  return { journal };
}

/** koffi comes with the sources of its binary. @param {string} file */
const isScript = (file) => !/\/(vendor|doc)(\/|$)/.test(file) && /(\.(c?js|json|txt)|\/[^.]+)$/.test(file);

/** @param {string} file */
const isNoTest = (file) => !/\.test\.ts$|\/(testing|__snapshots__)(\/|$)/.test(file);

/** @param {string} file */
const isNoSource = (file) => !/\.(ts|md)$|\/(testing|__snapshots__)(\/|$)/.test(file);

/** What is in it, with versions and licences (CycloneDX), as npm knows it. */
async function sbom() {
  const text = await run("npm", ["sbom", "--sbom-format=cyclonedx", "--omit=dev", "--package-lock-only"], {
    cwd: ROOT,
  });
  const document = JSON.parse(text);
  // What changes with every run would make two releases of one commit differ.
  delete document.serialNumber;
  delete document.metadata?.timestamp;
  return `${JSON.stringify(document, null, 2)}\n`;
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
