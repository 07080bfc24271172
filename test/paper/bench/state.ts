/** The state file: what is measured so far, so that a run that was stopped goes on where it was. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import type { BenchState } from "./record.ts";

/** A state file that cannot be gone on with; the message says why and what to do. */
export class StateError extends Error {
  override readonly name = "StateError";
}

/**
 * What is in the file; `fresh` where there is none.
 * @throws {StateError} it is damaged, or of a run with other options or on another machine
 */
export function openState(file: string, fresh: BenchState): BenchState {
  if (!existsSync(file)) return fresh;
  const what = `${file} (remove it, or name another with --state)`;
  let found: BenchState;
  try {
    found = JSON.parse(readFileSync(file, "utf8")) as BenchState;
  } catch (cause) {
    throw new StateError(`damaged: ${what}`, { cause });
  }
  for (const part of ["options", "setting"] as const) {
    const [was, is] = [found[part], fresh[part]].map((value) => JSON.stringify(value));
    if (was !== is) throw new StateError(`of a run with other ${part}, ${was} in place of ${is}: ${what}`);
  }
  if (!Array.isArray(found.runs)) throw new StateError(`has no runs: ${what}`);
  return found;
}

/** All or nothing: a killed run leaves the file as it was. */
export function saveState(file: string, state: BenchState): void {
  writeFileSync(`${file}.tmp`, JSON.stringify(state));
  renameSync(`${file}.tmp`, file);
}
