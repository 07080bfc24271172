/** What this host's kernel offers, and what this user may do with it. */
import { accessSync, constants, readdirSync } from "node:fs";
import {
  capabilitiesOf,
  cgroupVersionOf,
  fileLimit,
  perfProblem,
  readCgroupMounts,
  readClockSource,
  readKernelRelease,
} from "@kvm-governor/linux";
import { defaultHostId } from "@kvm-governor/service-kit";
import type { CgroupMounts } from "@kvm-governor/linux";
import { fail, ok, warn } from "./check.ts";
import type { Check } from "./check.ts";

/** Descriptors that a vCPU takes: two of perf, its schedstat, and room for what belongs to its guest. */
const FILES_A_VCPU = 6;
const FILES_MIN = 1024;
const SLOW_CLOCKS = ["hpet", "acpi_pm", "jiffies", "refined-jiffies"];

export function kernelChecks(libvirtRunDir: string): Check[] {
  const mounts = readCgroupMounts();
  return [
    hostIdCheck(process.env["KVMGOV_HOST_ID"], defaultHostId),
    rootCheck(process.geteuid?.() ?? -1),
    kvmCheck(errorOf(() => accessSync("/dev/kvm", constants.R_OK | constants.W_OK))),
    ...cgroupChecks(mounts),
    perfCheck(perfProblem()),
    ...featureChecks(mounts),
    libvirtCheck(libvirtRunDir, () => readdirSync(libvirtRunDir)),
    filesCheck(fileLimit().soft),
    clockCheck(() => readClockSource()),
    ok("kernel", `Linux ${readKernelRelease()}`),
  ];
}

/** What credentials are made for, and what the fleet knows the host by. */
export function hostIdCheck(configured: string | undefined, byDefault: () => string): Check {
  if (configured !== undefined && configured !== "") return ok("host id", `${configured} (KVMGOV_HOST_ID)`);
  try {
    return ok("host id", byDefault());
  } catch (error) {
    return warn(
      "host id",
      (error as Error).message,
      "set KVMGOV_HOST_ID; kvmgov up makes one of its own and keeps it with its state",
    );
  }
}

export function rootCheck(uid: number): Check {
  if (uid === 0) return ok("root", "runs as root");
  return warn(
    "root",
    `runs as user ${uid}: nothing can be written, and libvirt's guests cannot be seen`,
    "run it as root, for instance with sudo",
  );
}

export function kvmCheck(error: NodeJS.ErrnoException | undefined): Check {
  if (error === undefined) return ok("kvm", "/dev/kvm can be opened");
  if (error.code === "ENOENT") {
    return warn(
      "kvm",
      "there is no /dev/kvm: this host runs no KVM guests",
      "load kvm_intel or kvm_amd; in a virtual machine, nested virtualization must be on",
    );
  }
  return warn(
    "kvm",
    `/dev/kvm: ${error.code}: guests can be governed, the demo cannot make its own`,
    "run as root or as a member of group kvm",
  );
}

export function cgroupChecks(mounts: CgroupMounts): Check[] {
  const version = cgroupVersionOf(mounts);
  if (version === 0) {
    return [
      fail(
        "cgroups",
        "no control group has the cpu controller",
        "mount cgroup2 on /sys/fs/cgroup, or the v1 controllers cpu and cpuset",
      ),
    ];
  }
  return ["cpu", "cpuset"].map((name) => {
    const mount = mounts.get(name);
    const what = `cgroups ${name}`;
    if (mount === undefined)
      return warn(
        what,
        `version ${version} without ${name}: guests are held by thread affinity alone`,
        `add ${name} to the mounted controllers`,
      );
    const where = `version ${mount.version} at ${mount.mountPoint}`;
    if (mount.readOnly)
      return warn(
        what,
        `${where}, read-only: only a dry run is possible`,
        "mount it writable (in a container: a writable /sys/fs/cgroup of the host)",
      );
    return ok(what, where);
  });
}

export function perfCheck(problem: string | undefined): Check {
  if (problem === undefined) return ok("perf", "context switches are counted by perf_event_open");
  return warn(
    "perf",
    `${problem}: context switches come from /proc/TID/status, at more cost`,
    "run as root, grant CAP_PERFMON, or set kernel.perf_event_paranoid to 1 or less",
  );
}

function featureChecks(mounts: CgroupMounts): Check[] {
  const hasPsi = errorOf(() => accessSync("/proc/pressure/cpu", constants.R_OK)) === undefined;
  const has = capabilitiesOf({ hasPerf: false, hasPsi, mounts });
  return [
    hasPsi
      ? ok("psi", "CPU pressure is in /proc/pressure/cpu")
      : warn("psi", "no CPU pressure: one figure less on the pages", "boot with psi=1 (CONFIG_PSI)"),
    has.includes("cpu.idle")
      ? ok("cpu.idle", "services can rank above scientific guests")
      : warn(
          "cpu.idle",
          "not offered: ranking is by weight, which protects less",
          "a kernel of version 5.15 or later",
        ),
  ];
}

export function libvirtCheck(dir: string, list: () => string[]): Check {
  let names: string[] = [];
  const error = errorOf(() => (names = list()));
  if (error === undefined) {
    return ok(
      "libvirt",
      `${dir} is readable: ${names.filter((name) => name.endsWith(".xml")).length} guests run`,
    );
  }
  if (error.code === "ENOENT") {
    return warn(
      "libvirt",
      `there is no ${dir}: only bare QEMU guests will be found`,
      "start libvirtd, or name its status directory by KVMGOV_LIBVIRT_RUN_DIR",
    );
  }
  return fail(
    "libvirt",
    `${dir}: ${error.code ?? error.message}`,
    "run as root: libvirt's status files are root's",
  );
}

export function filesCheck(soft: number): Check {
  const vcpus = Math.floor((soft - 128) / FILES_A_VCPU);
  const enough = `${soft} open files: counters of about ${vcpus} vCPUs stay open`;
  if (soft >= FILES_MIN) return ok("open files", enough);
  return warn("open files", enough, "raise it: ulimit -n 65536, or LimitNOFILE=65536 in the unit");
}

export function clockCheck(read: () => string): Check {
  let source = "";
  const error = errorOf(() => (source = read()));
  if (error !== undefined) return warn("clock", `clock source unknown: ${error.message}`, "mount sysfs");
  if (!SLOW_CLOCKS.includes(source)) return ok("clock", `clock source ${source}`);
  return warn(
    "clock",
    `clock source ${source}: each reading of time takes microseconds, in guests too`,
    "boot with tsc=reliable where the hardware allows it",
  );
}

/** What an action fails with, where it does. */
export function errorOf(action: () => unknown): NodeJS.ErrnoException | undefined {
  try {
    action();
    return undefined;
  } catch (error) {
    return error as NodeJS.ErrnoException;
  }
}
