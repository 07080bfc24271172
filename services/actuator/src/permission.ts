import { accessSync, constants } from "node:fs";
import { setPriority } from "node:os";
import { join } from "node:path";
import type { CgroupMounts } from "@kvm-governor/linux";
import type { Logger } from "@kvm-governor/service-kit";

/** Nice value of the main thread. */
const PRIORITY = -10;

/** Lets this thread run before guests; without CAP_SYS_NICE it waits its turn, and affinities cannot be set either. */
export function runBefore(log: Logger): void {
  try {
    setPriority(PRIORITY);
  } catch (error) {
    log.warn(
      { event: "priority-refused", err: error },
      `runs at ordinary priority: ${(error as Error).message}`,
    );
  }
}

/** Why this process cannot write what plans ask for, or undefined where it can. */
export function readOnlyReason(mounts: CgroupMounts): string | undefined {
  if (process.geteuid?.() !== 0) return "not root";
  const found = ["cpu", "cpuset"].flatMap((controller) => mounts.get(controller) ?? []);
  if (found.length === 0) return "no cpu or cpuset control groups are mounted";
  return found.some((mount) => !mount.readOnly && isWritable(mount.mountPoint))
    ? undefined
    : "control groups are mounted read-only";
}

/** Asks for a control file: the directory itself is 0555, which only CAP_DAC_OVERRIDE may write. */
function isWritable(mountPoint: string): boolean {
  try {
    accessSync(join(mountPoint, "cgroup.procs"), constants.W_OK);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EACCES" || code === "EROFS" || code === "EPERM") return false;
    throw error;
  }
}
