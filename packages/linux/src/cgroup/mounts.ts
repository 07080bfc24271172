/**
 * Where the control group hierarchies are mounted: v1, v2 or both side by side (hybrid).
 * Vocabulary: a *controller* (`cpu`, `cpuset`) is attached to one hierarchy; a *root* is the group that a mount
 * shows at its mount point, not `/` where a container was given a part of the tree (proc(5), cgroups(7)).
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";

export interface CgroupMount {
  version: 1 | 2;
  /** Directory as this process sees it. */
  mountPoint: string;
  /** Group that is seen at the mount point; relative (`/..`) in a private cgroup namespace. */
  root: string;
  /** Controllers that are attached; on v2 those of the root's `cgroup.controllers`. */
  controllers: readonly string[];
  readOnly: boolean;
}

/** Roots of the kernel's file systems: `/proc` and `/sys`, or a captured tree in tests. */
export interface KernelRoots {
  procRoot: string;
  sysRoot: string;
}

export const KERNEL_ROOTS: KernelRoots = { procRoot: "/proc", sysRoot: "/sys" };

/** Options of a v1 mount that are no controllers. */
const V1_OPTIONS = new Set(["rw", "ro", "noprefix", "clone_children", "xattr", "cpuset_v2_mode", "none"]);

/**
 * Mounts of control groups in the text of /proc/PID/mountinfo. Controllers of v2 are not in it: they are left empty.
 * Lines that are no mounts of control groups, or not understood, are passed over.
 */
export function parseCgroupMounts(mountinfo: string): CgroupMount[] {
  return mountinfo.split("\n").flatMap((line) => parseMount(line) ?? []);
}

/** `ID PARENT MAJOR:MINOR ROOT MOUNTPOINT OPTIONS [TAGS…] - TYPE SOURCE SUPEROPTIONS`, blanks as `\040`. */
function parseMount(line: string): CgroupMount | undefined {
  const dash = line.indexOf(" - ");
  if (dash < 0) return undefined;
  const [, , , root, mountPoint, options] = line.slice(0, dash).split(" ");
  const [type, , superOptions] = line.slice(dash + 3).split(" ");
  if (root === undefined || mountPoint === undefined || options === undefined) return undefined;
  if (type !== "cgroup" && type !== "cgroup2") return undefined;
  const named = (superOptions ?? "").split(",");
  const controllers =
    type === "cgroup" ? named.filter((name) => !V1_OPTIONS.has(name) && !name.includes("=")) : [];
  return {
    version: type === "cgroup" ? 1 : 2,
    mountPoint: unescapeOctal(mountPoint),
    root: unescapeOctal(root),
    controllers,
    readOnly: options.split(",").includes("ro") || named.includes("ro"),
  };
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(parseInt(digits, 8)));
}

/** Which mount serves which controller. */
export type CgroupMounts = ReadonlyMap<string, CgroupMount>;

/**
 * Finds the mount that serves each controller. v1 wins over v2: a controller is attached to one of them only, and an
 * empty v2 mount beside v1 offers none. Of several mounts of one controller the best is that of the whole tree,
 * below `sysRoot`, and writable.
 * @throws Error from the file system where mountinfo cannot be read
 */
export function readCgroupMounts(roots: KernelRoots = KERNEL_ROOTS): CgroupMounts {
  const text = readFileSync(join(roots.procRoot, "self/mountinfo"), "utf8");
  const byController = new Map<string, CgroupMount>();
  const mounts = parseCgroupMounts(text).map((mount) => resolveMount(mount, roots));
  const ranked = mounts.toSorted((a, b) => rank(b, roots) - rank(a, roots) || a.version - b.version);
  for (const mount of ranked) {
    for (const name of mount.controllers) if (!byController.has(name)) byController.set(name, mount);
  }
  return byController;
}

function rank(mount: CgroupMount, roots: KernelRoots): number {
  const whole = /^(\/|(\/\.\.)+)$/.test(mount.root) ? 4 : 0;
  const inSys = mount.mountPoint.startsWith(roots.sysRoot) ? 2 : 0;
  return whole + inSys + (mount.readOnly ? 0 : 1);
}

function resolveMount(mount: CgroupMount, roots: KernelRoots): CgroupMount {
  const mountPoint = belowSysRoot(mount.mountPoint, roots.sysRoot);
  if (mount.version === 1) return { ...mount, mountPoint };
  return { ...mount, mountPoint, controllers: readControllers(mountPoint) };
}

/** A captured tree names its mount points as the host saw them (`/sys/…`): they are looked up in the tree. */
function belowSysRoot(mountPoint: string, sysRoot: string): string {
  if (mountPoint.startsWith(`${sysRoot}/`) || !mountPoint.startsWith("/sys/")) return mountPoint;
  return join(sysRoot, mountPoint.slice("/sys".length));
}

/** A mount that was hidden by another one, or went away, offers no controllers. */
function readControllers(mountPoint: string): string[] {
  try {
    const text = readFileSync(join(mountPoint, "cgroup.controllers"), "utf8");
    return text.split(/\s+/).filter((name) => name !== "");
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

/** The file, process or group is not there (any more): normal while guests come and go. */
export function isGone(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException).code;
  return code === "ENOENT" || code === "ESRCH" || code === "ENODEV";
}
