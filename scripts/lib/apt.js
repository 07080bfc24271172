/**
 * Debian's package resolver and downloader, used read-only: lists, caches and locks are in a directory of
 * ours, hooks are switched off, nothing is installed, and root is not needed.
 */
import { existsSync } from "node:fs";
import { mkdir, readdir, rm, stat, writeFile } from "node:fs/promises";
import path from "node:path";
import { run } from "./run.js";

/** Package lists younger than this (ms) are used as they are. */
const LISTS_FRESH_MS = 6 * 3600 * 1000;

// Hooks of the machine (docker-clean, appstream, packagekit) would act on its own caches.
const NO_HOOKS = `#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
#clear DPkg::Pre-Invoke;
#clear DPkg::Post-Invoke;
#clear DPkg::Pre-Install-Pkgs;
`;

/** @typedef {{ file: string, bytes: number }} Archive one .deb: where it is, and its size */

export class Apt {
  /**
   * @param {string} dir a directory of our own for lists and archives; the caller holds a lock on it
   * @param {readonly string[]} [foreign] architectures besides this machine's, as Debian names them
   */
  constructor(dir, foreign = []) {
    this.dir = dir;
    this.foreign = foreign;
    this.archives = path.join(dir, "cache/archives");
    this.stamp = path.join(dir, "updated");
  }

  /** Makes the directory and fetches the package lists, unless they are fresh. */
  async prepare() {
    await mkdir(path.join(this.archives, "partial"), { recursive: true });
    await mkdir(path.join(this.dir, "state/lists/partial"), { recursive: true });
    await writeFile(path.join(this.dir, "apt.conf"), NO_HOOKS);
    const age = existsSync(this.stamp) ? Date.now() - (await stat(this.stamp)).mtimeMs : Infinity;
    if (age > LISTS_FRESH_MS) await this.update();
  }

  /** Fetches the package lists. */
  async update() {
    await this.#get("update", "-o", "APT::Update::Error-Mode=any");
    await writeFile(this.stamp, "");
  }

  /**
   * What is missing on this machine for these packages: themselves and their dependencies.
   * @param {readonly string[]} packages
   * @returns {Promise<Archive[]>}
   */
  async resolve(packages) {
    const printed = await this.#get("install", "--no-install-recommends", "--print-uris", ...packages);
    return [...printed.matchAll(/^'[^']+' (\S+) (\d+)/gm)].map((match) => ({
      file: path.join(this.archives, String(match[1])),
      bytes: Number(match[2]),
    }));
  }

  /**
   * Downloads what `resolve` named; what is there already is verified, not fetched again.
   * @param {readonly string[]} packages
   */
  async download(packages) {
    await this.#get("install", "--no-install-recommends", "--download-only", "--yes", ...packages);
  }

  /** Throws the downloaded archives away. */
  async clean() {
    for (const name of await readdir(this.archives)) {
      if (name.endsWith(".deb")) await rm(path.join(this.archives, name));
    }
  }

  /** @param {string[]} args */
  #get(...args) {
    const options = [
      `Dir::State=${this.dir}/state`,
      "Dir::State::status=/var/lib/dpkg/status",
      `Dir::Cache=${this.dir}/cache`,
      "Debug::NoLocking=1",
      "APT::Sandbox::User=", // the user _apt cannot read a private directory
      "APT::Get::List-Cleanup=0",
      "Acquire::Retries=2",
      ...this.foreign.map((architecture) => `APT::Architectures::=${architecture}`),
    ];
    const flags = [
      "-qq",
      "-c",
      path.join(this.dir, "apt.conf"),
      ...options.flatMap((option) => ["-o", option]),
    ];
    return run("apt-get", [...flags, ...args], {
      env: { ...process.env, LC_ALL: "C", DEBIAN_FRONTEND: "noninteractive" },
    });
  }
}
