/** What does not change while a host runs. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { checkContract, bootId } from "@kvm-governor/policy";
import { ProcParseError } from "../proc/stat.ts";

/**
 * Id of this boot of the kernel.
 * @throws {ContractError} the file holds something else
 */
export function readBootId(procRoot = "/proc"): string {
  const file = join(procRoot, "sys/kernel/random/boot_id");
  return checkContract(bootId, readFileSync(file, "utf8").trim(), file);
}

/** Release of the kernel, as `uname -r` prints it. */
export function readKernelRelease(procRoot = "/proc"): string {
  return readFileSync(join(procRoot, "sys/kernel/osrelease"), "utf8").trim();
}

/** CLOCK_BOOTTIME in microseconds, to 10 ms (/proc/uptime): what start times of processes are counted in. */
export function readUptimeUs(procRoot = "/proc"): number {
  const file = join(procRoot, "uptime");
  const seconds = Number(readFileSync(file, "utf8").split(" ")[0]);
  if (!Number.isFinite(seconds)) throw new ProcParseError(file, "holds no number of seconds");
  return Math.round(seconds * 1_000_000);
}
