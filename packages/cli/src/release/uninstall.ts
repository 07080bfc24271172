/** Takes everything away that `install` put in place; guests go back to what they were before. */
import { existsSync } from "node:fs";
import { lstat, readdir, rm } from "node:fs/promises";
import path from "node:path";
import { HostLockedError, readJournalEntries } from "@kvm-governor/linux";
import { isRestored, restoreHost } from "../restore-host.ts";
import { UNITS, type Layout } from "./layout.ts";
import { ReleaseError } from "./release.ts";

export interface Uninstalled {
  /** Files, links and directories that were removed. */
  removed: string[];
  /** Those that stay: configuration and state, unless they are to go too. */
  kept: string[];
}

/**
 * @param purge removes configuration and state (baselines, audit) as well, where they lie in directories of ours
 * @throws {ReleaseError} an actuator runs, or a guest could not be put back: nothing was removed
 */
export async function uninstall(
  layout: Layout,
  { purge, libvirtRunDir }: { purge: boolean; libvirtRunDir: string },
): Promise<Uninstalled> {
  await restoreAll(layout, libvirtRunDir);
  const units = UNITS.flatMap((unit) => [
    path.join(layout.enabledUnits, unit),
    path.join(layout.units, unit),
  ]);
  const own = [...units, layout.command, layout.manPage, layout.home];
  const data = new Set([...layout.own, layout.state, layout.run]);
  const removed: string[] = [];
  for (const file of [...own, ...(purge ? layout.own : [])]) {
    if (!(await isThere(file))) continue;
    await rm(file, { recursive: true });
    removed.push(file);
  }
  const kept = await Promise.all([...data].map(async (dir) => ((await isEmptyOrGone(dir)) ? [] : [dir])));
  return { removed, kept: kept.flat() };
}

async function restoreAll({ state, run }: Layout, libvirtRunDir: string): Promise<void> {
  if (!existsSync(state)) return;
  try {
    const report = await restoreHost({
      stateDir: state,
      runDir: run,
      libvirtRunDir,
      reason: "kvmgov uninstall",
    });
    if (isRestored(report)) return;
  } catch (error) {
    if (!(error instanceof HostLockedError)) throw error;
    throw new ReleaseError(`an actuator runs (${error.message}): stop it first`, { cause: error });
  }
  const held = readJournalEntries(state).map(({ guest }) => guest.name);
  throw new ReleaseError(`not every guest could be put back (${held.join(", ")}): see "kvmgov restore"`);
}

/** A link that leads nowhere is there, too. */
const isThere = (file: string): Promise<boolean> =>
  lstat(file).then(
    () => true,
    () => false,
  );

const isEmptyOrGone = (dir: string): Promise<boolean> =>
  readdir(dir).then(
    (names) => names.length === 0,
    () => true,
  );
