/** Which group a thread is in (/proc/PID/task/TID/cgroup), as a directory that this process can open. */
import { readFileSync } from "node:fs";
import { join, posix } from "node:path";
import type { CgroupMount, KernelRoots } from "./mounts.ts";

/** Path of a thread's group for each controller; the v2 group under the key "". */
export type Membership = ReadonlyMap<string, string>;

/** Text of /proc/PID/cgroup: lines `ID:CONTROLLERS:PATH`. A path may contain colons. */
export function parseMembership(text: string): Membership {
  const paths = new Map<string, string>();
  for (const line of text.split("\n")) {
    const match = /^\d+:([^:]*):(\/.*)$/.exec(line);
    if (match === null) continue;
    const path = match[2] as string;
    for (const controller of (match[1] as string).split(",")) paths.set(controller, path);
  }
  return paths;
}

/** @throws Error from the file system; ENOENT or ESRCH: the thread is gone */
export function readMembership(roots: KernelRoots, pid: number, tid: number): Membership {
  return parseMembership(readFileSync(join(roots.procRoot, `${pid}/task/${tid}/cgroup`), "utf8"));
}

/**
 * Turns a path as /proc shows it into one from the root of the hierarchy.
 * In a private cgroup namespace paths outside it begin with `/..`, once for each level that the namespace lies deep. The
 * host's process 1 is in a group next to the root, so that its path tells how many levels that is (`/../../init.scope`: 2).
 * @param path of a thread, or a mount's root
 * @param initPath path of process 1 in the same hierarchy
 * @returns undefined where the path lies inside the namespace or in one of its ancestors: their names cannot be known
 */
export function resolveNamespacePath(path: string, initPath: string): string | undefined {
  const depth = leadingUps(initPath);
  if (depth === 0) return posix.normalize(path);
  if (leadingUps(path) !== depth) return undefined;
  return posix.normalize(
    `/${path
      .split("/")
      .slice(1 + depth)
      .join("/")}`,
  );
}

function leadingUps(path: string): number {
  const parts = path.split("/").slice(1);
  const first = parts.findIndex((part) => part !== "..");
  return first < 0 ? parts.length : first;
}

/**
 * Directory of a thread's group.
 * @returns undefined where the mount does not show that group
 */
export function groupDirectory(
  mount: CgroupMount,
  controller: string,
  thread: Membership,
  init: Membership,
): string | undefined {
  const key = mount.version === 1 ? controller : "";
  const initPath = init.get(key) ?? "/";
  const shown = thread.get(key);
  const path = shown === undefined ? undefined : resolveNamespacePath(shown, initPath);
  const root = resolveNamespacePath(mount.root, initPath);
  if (path === undefined || root === undefined) return undefined;
  if (root === "/") return join(mount.mountPoint, path);
  if (path !== root && !path.startsWith(`${root}/`)) return undefined;
  return join(mount.mountPoint, path.slice(root.length));
}
