/** What the demo cannot do without, said before anything is started. */
import { accessSync, constants } from "node:fs";
import { readCgroupMounts } from "@kvm-governor/linux";

export class RequirementError extends Error {
  override readonly name = "RequirementError";
}

export interface Surroundings {
  uid: number | undefined;
  platform: string;
  /** Whether a file can be read and written. */
  isWritable: (file: string) => boolean;
  /** Controllers of control groups that are mounted. */
  controllers: () => ReadonlySet<string>;
}

export const HERE: Surroundings = {
  uid: process.getuid?.(),
  platform: process.platform,
  isWritable,
  controllers: () => new Set(readCgroupMounts().keys()),
};

/** @throws {RequirementError} naming everything that is missing, and what to do about each */
export function checkRequirements(here: Surroundings = HERE): void {
  const missing: string[] = [];
  if (here.platform !== "linux") {
    throw new RequirementError(
      `the demo needs Linux: KVM guests and control groups; this is ${here.platform}`,
    );
  }
  if (here.uid !== 0)
    missing.push("root: it starts guests and writes their control groups; try sudo npm run demo");
  else if (!here.isWritable("/dev/kvm")) {
    missing.push(
      "/dev/kvm: turn virtualisation on in the firmware (or nested virtualisation for this VM) and load the module: " +
        "modprobe kvm_intel or modprobe kvm_amd; in a container add --device /dev/kvm",
    );
  }
  const controllers = here.controllers();
  const lacking = ["cpu", "cpuset"].filter((name) => !controllers.has(name));
  if (lacking.length > 0) {
    missing.push(
      `control groups with ${lacking.join(" and ")}: mount them (on systemd hosts they are), ` +
        "or give this container the host's /sys/fs/cgroup, writable",
    );
  }
  if (missing.length > 0)
    throw new RequirementError(`the demo needs what is missing here:\n  - ${missing.join("\n  - ")}`);
}

function isWritable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK | constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
