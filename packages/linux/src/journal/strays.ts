/**
 * Threads that are out of their group: a v2 group is made empty by moving its threads to the group above and back, and whoever did
 * that may have been killed in between.
 */
import { dirname } from "node:path";
import { threadMove } from "../controls/cpuset.ts";
import type { Write } from "../controls/write.ts";
import type { FileBaseline, ThreadBaseline } from "./records.ts";

/**
 * Writes that bring threads back to the group in which they were found.
 * @param threadsOf threads of a group
 */
export function strayWrites(
  files: readonly FileBaseline[],
  threads: readonly ThreadBaseline[],
  threadsOf: (dir: string, version: 1 | 2) => readonly number[],
): Write[] {
  return files.flatMap(({ key, version, setting, target }) => {
    if (version !== 2 || setting !== "cpus") return [];
    const above = threadsOf(dirname(dirname(key)), version);
    const strays = threads.filter((thread) => thread.target === target && above.includes(thread.tid));
    return strays.map(({ tid }) => threadMove({ dir: dirname(key), target }, tid));
  });
}
