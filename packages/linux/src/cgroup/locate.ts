/**
 * The control groups of a guest, found through its threads (never guessed from names, which differ by manager):
 *
 *     libvirt, v1   machine/qemu-N-NAME.libvirt-qemu/{vcpu0,emulator,iothread1}
 *     libvirt, v2   machine.slice/machine-qemu\x2dN\x2dNAME.scope/libvirt/{vcpu0,emulator,iothread1}
 *     Proxmox       qemu.slice/100.scope                             (all threads in one group)
 *     bare QEMU     wherever its parent was: mostly a group shared with others, which is not the guest's
 */
import { basename, dirname, relative } from "node:path";
import type { Guest } from "../guests/guest.ts";
import { groupDirectory, readMembership, type Membership } from "./membership.ts";
import { isGone, KERNEL_ROOTS, readCgroupMounts } from "./mounts.ts";
import type { CgroupMount, CgroupMounts, KernelRoots } from "./mounts.ts";
import { isOwnGroup, isOwnTree, threadsOfGroup } from "./ownership.ts";

export type Controller = "cpu" | "cpuset" | "cpuacct" | "memory";
/** Those that are looked for unless others are asked for. */
const CONTROLLERS: readonly Controller[] = ["cpu", "cpuset", "cpuacct"];

/** Groups of one guest for one controller, as absolute directories. What is absent is not the guest's alone. */
export interface ControllerGroups {
  version: 1 | 2;
  mountPoint: string;
  /** Group that competes with other guests: holds every process of the guest and nothing else. */
  guest?: string;
  /** libvirt's own level between a systemd scope and the groups of the threads. */
  nested?: string;
  /** By vCPU index: holds this vCPU and no other one, perhaps `worker` threads too. */
  vcpus: ReadonlyMap<number, string>;
  emulator?: string;
  /** By I/O thread id. */
  ioThreads: ReadonlyMap<number, string>;
}

/** A guest's groups by controller; a controller that is not mounted, or has none of its own for the guest, is absent. */
export type GuestCgroups = Partial<Record<Controller, ControllerGroups>>;

export interface LocateOptions extends KernelRoots {
  /** From `readCgroupMounts`; they do not change while a host runs, so callers may keep them. */
  mounts: CgroupMounts;
  /** Those that are of interest: each costs reads of its own. */
  controllers: readonly Controller[];
}

type Located = Pick<Guest, "pid" | "vcpus" | "ioThreads">;
type ThreadDirs = ReadonlyMap<number, string>;

/**
 * Finds the groups of a guest. Costs one read of /proc for each vCPU and I/O thread, and one of each group.
 * @returns undefined where the guest is gone, or has no group of its own in any hierarchy: affinity alone can be set
 */
export function locateGuest(guest: Located, options: Partial<LocateOptions> = {}): GuestCgroups | undefined {
  const roots: KernelRoots = {
    procRoot: options.procRoot ?? KERNEL_ROOTS.procRoot,
    sysRoot: options.sysRoot ?? KERNEL_ROOTS.sysRoot,
  };
  const mounts = options.mounts ?? readCgroupMounts(roots);
  try {
    const memberships = readMemberships(roots, guest);
    const init = readInit(roots);
    const groups: GuestCgroups = {};
    for (const controller of options.controllers ?? CONTROLLERS) {
      const mount = mounts.get(controller);
      if (mount === undefined) continue;
      const found = locateIn(roots, mount, guest, directories(mount, controller, memberships, init));
      if (found !== undefined) groups[controller] = found;
    }
    return Object.keys(groups).length === 0 ? undefined : groups;
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function readMemberships(roots: KernelRoots, guest: Located): Map<number, Membership> {
  const tids = [guest.pid, ...guest.vcpus.map((t) => t.tid), ...guest.ioThreads.map((t) => t.tid)];
  return new Map(tids.map((tid) => [tid, readMembership(roots, guest.pid, tid)]));
}

/** Process 1 may be out of sight (hidepid, another PID namespace): then paths are taken as they are. */
function readInit(roots: KernelRoots): Membership {
  try {
    return readMembership(roots, 1, 1);
  } catch (error) {
    if (isGone(error) || (error as NodeJS.ErrnoException).code === "EACCES") return new Map();
    throw error;
  }
}

function directories(
  mount: CgroupMount,
  controller: Controller,
  memberships: ReadonlyMap<number, Membership>,
  init: Membership,
): ThreadDirs | undefined {
  const dirs = new Map<number, string>();
  for (const [tid, membership] of memberships) {
    const dir = groupDirectory(mount, controller, membership, init);
    if (dir === undefined) return undefined;
    dirs.set(tid, dir);
  }
  return dirs;
}

function locateIn(
  roots: KernelRoots,
  mount: CgroupMount,
  guest: Located,
  dirs: ThreadDirs | undefined,
): ControllerGroups | undefined {
  if (dirs === undefined) return undefined;
  const common = commonDirectory([...dirs.values()]);
  const nested = basename(common) === "libvirt" && dirname(common).endsWith(".scope") ? common : undefined;
  const top = nested === undefined ? common : dirname(nested);
  const isRoot = relative(mount.mountPoint, top) === "";
  const groups: ControllerGroups = {
    version: mount.version,
    mountPoint: mount.mountPoint,
    ...ownThreadGroups(roots, mount, guest, dirs, top),
    ...(!isRoot && isOwnTree(roots, top, guest.pid) ? { guest: top, ...(nested && { nested }) } : {}),
  };
  const hasAny = groups.guest ?? groups.emulator ?? (groups.vcpus.size > 0 || groups.ioThreads.size > 0);
  return hasAny ? groups : undefined;
}

function ownThreadGroups(
  roots: KernelRoots,
  mount: CgroupMount,
  guest: Located,
  dirs: ThreadDirs,
  top: string,
): Pick<ControllerGroups, "vcpus" | "emulator" | "ioThreads"> {
  const named = new Set(dirs.keys());
  const own = (tid: number): string | undefined => {
    const dir = dirs.get(tid);
    if (dir === undefined || dir === top || dir === mount.mountPoint) return undefined;
    const others = threadsOfGroup(dir, mount.version).some((other) => other !== tid && named.has(other));
    return !others && isOwnGroup(roots, dir, guest.pid) ? dir : undefined;
  };
  const emulator = own(guest.pid);
  return {
    vcpus: byKey(guest.vcpus.map((thread) => [thread.index, own(thread.tid)])),
    ioThreads: byKey(guest.ioThreads.map((thread) => [thread.id, own(thread.tid)])),
    ...(emulator !== undefined && { emulator }),
  };
}

function byKey(entries: ReadonlyArray<readonly [number, string | undefined]>): ReadonlyMap<number, string> {
  const found = entries.flatMap(([key, dir]) => (dir === undefined ? [] : [[key, dir] as const]));
  return new Map(found);
}

/** Deepest directory that holds all of them. */
function commonDirectory(dirs: readonly string[]): string {
  return dirs.reduce((common, dir) => {
    let at = common;
    while (at !== "/" && dir !== at && !dir.startsWith(`${at}/`)) at = dirname(at);
    return at;
  });
}
