/** What bundles need beside themselves: the kernel interface, the files that sources read, and what browsers are sent. */
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import path from "node:path";
import { ROOT } from "../lib/launch.js";
import { packageDir, platformPackages } from "./platform.js";

/** What the console sends of uPlot. */
const PLOTS = ["package.json", "dist/uPlot.esm.js", "dist/uPlot.min.css"].map(
  (file) => `node_modules/uplot/${file}`,
);
/** Served to browsers from its sources. */
const CONSOLE = "packages/console/src";

/**
 * For whoever touches the kernel. koffi finds its binary by its place in node_modules.
 * @param {string} dir root of the tree that the bundles are in
 * @param {string} [arch] processor that it is for, as Node names it
 * @throws {UnsupportedArchitectureError}
 */
export async function copyNative(dir, arch = process.arch) {
  const { koffi } = platformPackages(arch);
  await copyPackage(koffi, path.join(dir, "node_modules", koffi));
  await copy("node_modules/koffi", path.join(dir, "node_modules/koffi"), isScript);
}

/**
 * Copies a package, or a file of it, that is made for one processor: another one's is fetched.
 * @param {string} name
 * @param {string} to
 * @param {string} [file]
 */
export async function copyPackage(name, to, file = "") {
  const fetched = await mkdtemp(path.join(tmpdir(), "kvmgov-release-"));
  try {
    await cp(path.join(await packageDir(name, fetched), file), to, { recursive: true });
  } finally {
    await rm(fetched, { recursive: true, force: true });
  }
}

/** For the classifier: its Redis command, and the console. @param {string} dir */
export async function copyForClassifier(dir) {
  for (const file of PLOTS) await copy(file, path.join(dir, file));
  await copy(CONSOLE, path.join(dir, CONSOLE), isNoTest);
  await copyReadFiles("services/classifier/src", dir);
}

/** The files that the sources of a directory read, without the sources. @param {string} source @param {string} dir */
export function copyReadFiles(source, dir) {
  return copy(source, path.join(dir, source), isNoSource);
}

/**
 * @param {string} from relative to the repository
 * @param {string} to
 * @param {(file: string) => boolean} [isWanted]
 */
export async function copy(from, to, isWanted = () => true) {
  const filter = (/** @type {string} */ file) => isWanted(file);
  await cp(path.join(ROOT, from), to, { recursive: true, dereference: true, filter });
}

/** koffi comes with the sources of its binary. @param {string} file */
const isScript = (file) => !/\/(vendor|doc)(\/|$)/.test(file) && /(\.(c?js|json|txt)|\/[^.]+)$/.test(file);

/** @param {string} file */
const isNoTest = (file) => !/\.test\.ts$|\/(testing|__snapshots__)(\/|$)/.test(file);

/** @param {string} file */
const isNoSource = (file) => !/\.(ts|md)$|\/(testing|__snapshots__)(\/|$)/.test(file);
