/** Puts a release in place beside those that are there, and points to it. Enables and starts nothing. */
import { existsSync } from "node:fs";
import {
  copyFile,
  cp,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  symlink,
  writeFile,
} from "node:fs/promises";
import path from "node:path";
import { readJournalEntries } from "@kvm-governor/linux";
import { CONFIGURATION, DEFAULT_PREFIX, UNITS, type Layout } from "./layout.ts";
import { ReleaseError, readRelease, verifyRelease, type ReleaseInfo } from "./release.ts";

export interface Installed {
  version: string;
  /** Release that was in use before; absent: none. */
  from?: string;
  /** Configuration files that were made. */
  made: string[];
  /** Releases that were removed: only the one before is kept. */
  removed: string[];
}

/**
 * Copies the release in `source`, checks the copy, and switches to it.
 * @throws {ReleaseError} no release, or a damaged one: nothing was switched
 */
export async function install(layout: Layout, source: string): Promise<Installed> {
  const { version } = readRelease(source);
  await verifyRelease(source);
  const target = layout.release(version);
  if (path.resolve(source) !== target) await place(source, target);
  return { ...(await use(layout, version)), made: await makeConfiguration(layout, target) };
}

/**
 * Switches to a release that is in place: also the way back to the one before.
 * @throws {ReleaseError} it is not there, or could not read what the one in use has written
 */
export async function use(layout: Layout, version: string): Promise<Omit<Installed, "made">> {
  const target = layout.release(version);
  if (!existsSync(target)) {
    const there = existsSync(layout.releases) ? await readdir(layout.releases) : [];
    throw new ReleaseError(`release ${version} is not installed; there is ${there.join(", ") || "none"}`);
  }
  const release = readRelease(target);
  const from = await linkedVersion(layout.current);
  if (from !== undefined && from !== version)
    checkFormats(layout, readRelease(layout.release(from)), release);
  await installUnits(layout, target);
  await link(layout.current, path.join("releases", version));
  if (from !== undefined && from !== version) await link(layout.previous, path.join("releases", from));
  await link(layout.command, path.join(layout.prefix, "current/bin/kvmgov"));
  await mkdir(path.dirname(layout.manPage), { recursive: true });
  await copyFile(path.join(target, "man/kvmgov.1"), layout.manPage);
  return { version, removed: await removeOthers(layout), ...(from !== undefined && { from }) };
}

/** The version that a link in the installation points to; undefined where there is none. */
export async function linkedVersion(link: string): Promise<string | undefined> {
  try {
    return path.basename(await readlink(link));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** What an older release cannot read must be empty before it begins: an actuator that stops empties its journal. */
function checkFormats({ state }: Layout, from: ReleaseInfo, to: ReleaseInfo): void {
  if (to.formats.journal >= from.formats.journal) return;
  const held = existsSync(state) ? readJournalEntries(state).length : 0;
  if (held === 0) return;
  throw new ReleaseError(
    `${held} guests are held, and release ${to.version} cannot read the journal that ${from.version} keeps of them: ` +
      `stop the actuator (systemctl stop kvm-governor-actuator) or run "kvmgov restore" first`,
  );
}

/** Whole or not at all: what was interrupted leaves a directory that is never used, and goes at the next try. */
async function place(source: string, target: string): Promise<void> {
  const fresh = `${target}.new`;
  const old = `${target}.old`;
  await rm(fresh, { recursive: true, force: true });
  await mkdir(path.dirname(target), { recursive: true });
  await cp(source, fresh, { recursive: true, verbatimSymlinks: true });
  await verifyRelease(fresh);
  await rm(old, { recursive: true, force: true });
  if (existsSync(target)) await rename(target, old);
  await rename(fresh, target);
  await rm(old, { recursive: true, force: true });
}

async function installUnits(layout: Layout, release: string): Promise<void> {
  await mkdir(layout.units, { recursive: true });
  for (const unit of UNITS) {
    const text = await readFile(path.join(release, "systemd", unit), "utf8");
    await writeFile(path.join(layout.units, unit), text.replaceAll(DEFAULT_PREFIX, layout.prefix));
  }
}

/** A link that changes in one step. */
async function link(file: string, target: string): Promise<void> {
  await mkdir(path.dirname(file), { recursive: true });
  await rm(`${file}.new`, { force: true });
  await symlink(target, `${file}.new`);
  await rename(`${file}.new`, file);
}

async function makeConfiguration({ configuration }: Layout, release: string): Promise<string[]> {
  await mkdir(configuration, { recursive: true, mode: 0o755 });
  const made: string[] = [];
  for (const name of CONFIGURATION) {
    const file = path.join(configuration, name);
    if (await isThere(file)) continue;
    const text = await readFile(path.join(release, "config", name), "utf8");
    // Environment files are for passwords.
    await writeFile(file, text, { mode: name.endsWith(".env") ? 0o600 : 0o644, flag: "wx" });
    made.push(name);
  }
  return made;
}

const isThere = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );

async function removeOthers(layout: Layout): Promise<string[]> {
  const kept = [await linkedVersion(layout.current), await linkedVersion(layout.previous)];
  const others = (await readdir(layout.releases)).filter((version) => !kept.includes(version));
  for (const version of others) await rm(layout.release(version), { recursive: true });
  return others;
}
