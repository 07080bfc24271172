/**
 * The toolbox: programs that this machine lacks, fetched as Debian packages and unpacked into a directory of
 * our own. Nothing is installed: no maintainer script runs, no service is enabled, the machine's package
 * database and lists stay as they are. A program that the machine has is used instead.
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, readdir, rename, rm, symlink } from "node:fs/promises";
import { homedir } from "node:os";
import path from "node:path";
import { Apt } from "./apt.js";
import { ARCHITECTURES, architecture } from "./architecture.js";
import { withLock } from "./lock.js";
import { run } from "./run.js";

/** @typedef {{ path: string, args: string[], env: NodeJS.ProcessEnv }} Program how to start a program: its file, first arguments, and environment */
/** @typedef {"servers" | "lab" | "prometheus" | "alertmanager" | "compose" | "docker" | "v2-host" | "browser" | "exporter" | "paper" | "ssh" | "arm64"} ToolSet */
/** @typedef {{ has: string, package: string }} Need a program name, or an absolute path, and the package it is in */

const DPKG_STATUS = "/var/lib/dpkg/status";
// Elsewhere the toolbox has nothing, and says so when it is asked.
const TRIPLET = ARCHITECTURES[process.arch]?.triplet ?? "";
const DRIVERS = `/usr/lib/${TRIPLET}/libvirt/connection-driver`;

/** @type {Record<ToolSet, Need[]>} */
const SETS = {
  servers: [
    { has: "nats-server", package: "nats-server" },
    { has: "redis-server", package: "redis-server" },
  ],
  lab: [
    { has: "libvirtd", package: "libvirt-daemon" },
    { has: `${DRIVERS}/libvirt_driver_qemu.so`, package: "libvirt-daemon-driver-qemu" },
    { has: "virsh", package: "libvirt-clients" },
    { has: "qemu-system-x86_64", package: "qemu-system-x86" },
    { has: "nasm", package: "nasm" },
  ],
  prometheus: [
    { has: "prometheus", package: "prometheus" },
    { has: "promtool", package: "prometheus" },
  ],
  alertmanager: [
    { has: "prometheus-alertmanager", package: "prometheus-alertmanager" },
    { has: "amtool", package: "prometheus-alertmanager" },
  ],
  compose: [{ has: "docker-compose", package: "docker-compose" }],
  docker: [
    { has: "dockerd", package: "docker.io" },
    { has: "ip", package: "iproute2" },
    { has: "mmdebstrap", package: "mmdebstrap" },
  ],
  browser: [
    { has: "chromium", package: "chromium" },
    // Without a font Chromium draws no text.
    { has: "/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf", package: "fonts-dejavu-core" },
  ],
  exporter: [{ has: "prometheus-libvirt-exporter", package: "prometheus-libvirt-exporter" }],
  ssh: [
    { has: "sshd", package: "openssh-server" },
    { has: "ssh", package: "openssh-client" },
    { has: "ssh-keygen", package: "openssh-client" },
  ],
  // Another processor, emulated for one program, and what Node needs of its libraries.
  arm64: [
    { has: "qemu-aarch64-static", package: "qemu-user-static" },
    { has: "/usr/lib/aarch64-linux-gnu/libstdc++.so.6", package: "libstdc++6:arm64" },
  ],
  paper: [
    { has: "mmdebstrap", package: "mmdebstrap" },
    { has: "wrk", package: "wrk" },
  ],
  "v2-host": [
    { has: "mmdebstrap", package: "mmdebstrap" },
    { has: "mke2fs", package: "e2fsprogs" },
    { has: "qemu-system-x86_64", package: "qemu-system-x86" },
  ],
};

/** Programs that look for their files in /usr whatever the environment says: they see the tree laid over it. */
const FIXED_PATHS = ["prometheus-alertmanager", "mmdebstrap"];

/** The toolbox cannot give what was asked of it; the message says what to do. */
export class ToolboxError extends Error {
  /**
   * @param {string} message
   * @param {unknown} [cause]
   */
  constructor(message, cause) {
    super(message, { cause });
    this.name = "ToolboxError";
  }
}

/** The programs of the sets that were asked for: the machine's own, and those unpacked. */
export class Tools {
  /** @param {readonly string[]} trees roots of unpacked packages, in the order they are searched */
  constructor(trees) {
    this.trees = trees;
  }

  /**
   * How to start a program. Throws ToolboxError when neither machine nor toolbox has it.
   * @param {string} name
   * @returns {Program}
   */
  find(name) {
    const own = onPath(name);
    if (own !== undefined) return { path: own, args: [], env: { ...process.env } };
    for (const tree of this.trees) {
      const file = ["usr/bin", "usr/sbin"].map((dir) => path.join(tree, dir, name)).find(existsSync);
      if (file !== undefined) return fromTree(tree, file);
    }
    throw new ToolboxError(`${name} is neither on this machine nor in the toolbox`);
  }
}

/**
 * Makes sure that the programs of these sets can be run; fetches what is missing, once.
 * @param {readonly ToolSet[]} sets
 * @param {{ log?: (line: string) => void, root?: string }} [options] `log` gets progress lines; silent when nothing is fetched
 * @returns {Promise<Tools>}
 */
export async function ensureTools(sets, options = {}) {
  const log = options.log ?? (() => undefined);
  const root = options.root ?? toolboxRoot();
  const trees = [];
  for (const set of sets) {
    const packages = missingPackages(set);
    if (packages.length > 0) trees.push(await ensureTree(root, packages, log));
  }
  return new Tools(trees);
}

/**
 * What a set lacks on this machine, as names of Debian packages.
 * @param {ToolSet} set
 */
export function missingPackages(set) {
  const missing = SETS[set].filter(({ has }) =>
    has.startsWith("/") ? !existsSync(has) : onPath(has) === undefined,
  );
  return [...new Set(missing.map((need) => need.package))];
}

/**
 * Why these sets cannot be used right now without fetching anything; undefined when they can.
 * @param {readonly ToolSet[]} sets
 */
export function whyNoTools(sets, root = toolboxRoot()) {
  const missing = sets
    .map(missingPackages)
    .filter((packages) => packages.length > 0 && !isFetched(root, packages));
  return missing.length === 0 ? undefined : `the toolbox lacks ${missing.flat().join(", ")}`;
}

/**
 * @param {string} root
 * @param {string[]} packages
 */
function isFetched(root, packages) {
  return existsSync(DPKG_STATUS) && existsSync(treeOf(root, packages));
}

/**
 * Where the toolbox is kept: KVMGOV_TOOLBOX, or in the user's cache directory. For root that is the system's: the
 * servers drop root before they are run, and root's home is closed to everybody else.
 */
export function toolboxRoot() {
  const home = process.getuid?.() === 0 ? "/var/cache" : path.join(homedir(), ".cache");
  const cache = process.env["XDG_CACHE_HOME"] || home;
  return process.env["KVMGOV_TOOLBOX"] || path.join(cache, "kvm-governor/toolbox");
}

/**
 * A program of the machine, also from the directories that a user's PATH lacks.
 * @param {string} name
 * @returns {string | undefined}
 */
export function onPath(name) {
  const dirs = [...(process.env["PATH"] ?? "").split(":"), "/usr/local/sbin", "/usr/sbin", "/sbin"];
  return dirs
    .filter((dir) => dir.startsWith("/"))
    .map((dir) => path.join(dir, name))
    .find(existsSync);
}

/**
 * @param {string} root
 * @param {string[]} packages
 * @param {(line: string) => void} log
 */
async function ensureTree(root, packages, log) {
  architecture();
  if (!existsSync(DPKG_STATUS) || onPath("apt-get") === undefined)
    throw byHand(packages, "this is not Debian");
  const tree = treeOf(root, packages);
  if (existsSync(tree)) return tree;
  await mkdir(path.dirname(tree), { recursive: true });
  await withLock(path.join(root, "lock"), async () => {
    if (!existsSync(tree)) await fetchTree(root, tree, packages, log);
  });
  return tree;
}

/**
 * @param {string} root
 * @param {string} tree
 * @param {string[]} packages
 * @param {(line: string) => void} log
 */
async function fetchTree(root, tree, packages, log) {
  const started = Date.now();
  await removeLeftovers(tree);
  const foreign = packages.flatMap((name) => name.split(":").slice(1));
  const apt = new Apt(path.join(root, ["apt", ...foreign].join("-")), foreign);
  log(`toolbox: ${packages.join(", ")} missing; asking Debian's archive`);
  const archives = await resolveAndDownload(apt, packages, log).catch((error) => {
    throw byHand(packages, "fetching them failed", error);
  });
  const unpacked = await mkdtemp(`${tree}.tmp-`);
  try {
    await unpack(
      archives.map((archive) => archive.file),
      unpacked,
    );
    await rename(unpacked, tree); // all or nothing: a killed run leaves no half tree behind
  } finally {
    await rm(unpacked, { recursive: true, force: true });
  }
  await apt.clean();
  log(`toolbox: ready in ${((Date.now() - started) / 1000).toFixed(1)} s (${tree}; nothing was installed)`);
}

/**
 * Half trees of runs that were killed.
 * @param {string} tree
 */
async function removeLeftovers(tree) {
  for (const name of await readdir(path.dirname(tree))) {
    if (name.includes(".tmp-"))
      await rm(path.join(path.dirname(tree), name), { recursive: true, force: true });
  }
}

/**
 * @param {Apt} apt
 * @param {string[]} packages
 * @param {(line: string) => void} log
 */
async function resolveAndDownload(apt, packages, log) {
  await apt.prepare();
  const archives = await apt.resolve(packages);
  const megabytes = archives.reduce((sum, archive) => sum + archive.bytes, 0) / 1e6;
  log(`toolbox: fetching ${archives.length} packages, ${megabytes.toFixed(1)} MB`);
  try {
    await apt.download(packages);
    return archives;
  } catch (error) {
    // The lists named a version that the archive has replaced since, or the network hiccuped.
    log(`toolbox: ${String(error)}; trying again with new lists`);
    await apt.update();
    const again = await apt.resolve(packages);
    await apt.download(packages);
    return again;
  }
}

/**
 * @param {string[]} files
 * @param {string} tree
 */
async function unpack(files, tree) {
  for (const dir of ["bin", "sbin", "lib", "lib64"]) {
    await mkdir(path.join(tree, "usr", dir), { recursive: true });
    await symlink(`usr/${dir}`, path.join(tree, dir)); // merged /usr: packages still ship /lib
  }
  const script =
    'set -e; for f; do dpkg-deb --fsys-tarfile "$f" | tar -x --keep-directory-symlink -C "$tree"; done';
  await run("sh", ["-c", script, "sh", ...files], { env: { ...process.env, tree } });
}

/**
 * Where these packages are unpacked. With other packages installed on the machine they need other dependencies,
 * so the name tells the state of the machine too.
 * @param {string} root
 * @param {string[]} packages
 */
function treeOf(root, packages) {
  const key = createHash("sha256").update(readFileSync(DPKG_STATUS)).digest("hex").slice(0, 16);
  return path.join(root, key, packages.join("+").replaceAll(":", "-"));
}

/**
 * @param {string} tree
 * @param {string} file
 * @returns {Program}
 */
function fromTree(tree, file) {
  const libraries = [`usr/lib/${TRIPLET}`, "usr/lib"].map((dir) => path.join(tree, dir));
  const env = { ...process.env, LD_LIBRARY_PATH: joinPaths(libraries, process.env["LD_LIBRARY_PATH"]) };
  if (FIXED_PATHS.includes(path.basename(file))) return overUsr(tree, file, env);
  if (!isPython(file)) return { path: file, args: [], env };
  const python = [path.join(tree, "usr/bin/python3"), "/usr/bin/python3"].find(existsSync) ?? "python3";
  const modules = [path.join(tree, "usr/lib/python3/dist-packages")];
  return {
    path: python,
    args: [file],
    env: { ...env, PYTHONPATH: joinPaths(modules, process.env["PYTHONPATH"]) },
  };
}

/**
 * A program in a mount namespace of its own, in which the tree lies over /usr.
 * @param {string} tree
 * @param {string} file
 * @param {NodeJS.ProcessEnv} env
 * @returns {Program}
 */
function overUsr(tree, file, env) {
  const user = process.getuid?.() === 0 ? [] : ["--user", "--map-root-user"];
  const script = 'mount -t overlay overlay -o "ro,lowerdir=$0/usr:/usr" /usr && exec "$@"';
  return {
    path: "unshare",
    args: [...user, "--mount", "--propagation", "private", "sh", "-c", script, tree, file],
    env,
  };
}

/**
 * @param {readonly string[]} paths
 * @param {string | undefined} rest
 */
function joinPaths(paths, rest) {
  return [...paths, ...(rest ? [rest] : [])].join(":");
}

/** @param {string} file */
function isPython(file) {
  return readFileSync(file).subarray(0, 40).toString("latin1").startsWith("#!/usr/bin/python3");
}

/**
 * @param {string[]} packages
 * @param {string} why
 * @param {Error} [cause]
 */
function byHand(packages, why, cause) {
  const detail = cause === undefined ? "" : `\n${String(cause)}`;
  return new ToolboxError(
    `missing on this machine: ${packages.join(", ")}, and ${why}. Install them by hand, for instance with ` +
      `"apt-get install ${packages.join(" ")}" or the equal of another distribution.${detail}`,
    cause,
  );
}
