/** Finds the QEMU processes of a host by a scan of /proc that looks closely only at what is new. */
import { basename, join } from "node:path";
import { errorCode, listIfThere, readIfThere, readlinkIfThere } from "../proc/read.ts";
import { splitCommandLine } from "./command-line.ts";

// qemu-system-x86_64 (Debian, with variants such as -spice), qemu-kvm (RHEL, oVirt), kvm (Proxmox), .qemu-…-wrapped (Nix).
const QEMU = /^\.?(qemu-system-[a-z0-9_]+|qemu-kvm|kvm)([-.].*)?$/;

/** Whether a program of this file name runs guests; qemu-img, qemu-nbd and user emulation do not. */
export function isQemuProgram(path: string): boolean {
  // The kernel appends this after an upgrade replaced the file of a running guest.
  return QEMU.test(basename(path.replace(/ \(deleted\)$/, "")));
}

/**
 * A process may become QEMU after it was first seen: whoever starts a guest forks first and execs then. Young processes
 * are therefore looked at in every scan, old ones a few at a time (also against a process id used again).
 */
const YOUNG_US = 10_000_000;
const OLD_AT_A_TIME = 50;
/** Kernel threads, most of what runs on a large host, never become anything else; asking costs 5 us each (measured). */
const ALWAYS_OLD = -Infinity;

export class ProcessScanner {
  readonly #procRoot: string;
  /** Processes that were no QEMU, with the time of their first sight; {@link ALWAYS_OLD}: without a program. */
  #others = new Map<number, number>();
  #nextOld = 0;

  constructor(procRoot: string) {
    this.#procRoot = procRoot;
  }

  /**
   * @param known processes that are not to be looked at
   * @param nowUs any clock that does not go back, in microseconds
   * @returns processes that run QEMU and are not known
   */
  scan(known: { has(pid: number): boolean }, nowUs: number): number[] {
    const found: number[] = [];
    const others = new Map<number, number>();
    const from = this.#nextOld;
    let old = 0;
    for (const name of listIfThere(this.#procRoot) ?? []) {
      const pid = pidOf(name);
      if (pid === 0 || known.has(pid)) continue;
      const firstSeen = this.#others.get(pid) ?? nowUs;
      const isOld = nowUs - firstSeen > YOUNG_US;
      const isDue = isOld ? old >= from && old < from + OLD_AT_A_TIME : true;
      if (isOld) old++;
      const program = isDue ? this.#programOf(pid) : "unknown";
      if (isDue && program !== undefined && isQemuProgram(program)) found.push(pid);
      else others.set(pid, program === undefined ? ALWAYS_OLD : firstSeen);
    }
    this.#others = others;
    this.#nextOld = from + OLD_AT_A_TIME >= old ? 0 : from + OLD_AT_A_TIME;
    return found;
  }

  /** undefined: a kernel thread, or gone. */
  #programOf(pid: number): string | undefined {
    const dir = join(this.#procRoot, String(pid));
    try {
      return readlinkIfThere(join(dir, "exe"));
    } catch (error) {
      // Another user's process: the link is closed to us, the command line is not.
      if (errorCode(error) !== "EACCES" && errorCode(error) !== "EPERM") throw error;
      return splitCommandLine(readIfThere(join(dir, "cmdline")) ?? "")[0] || undefined;
    }
  }
}

/** 0 for what is no process. Called for every entry of /proc: no regular expression. */
function pidOf(name: string): number {
  const first = name.charCodeAt(0);
  return first >= 49 && first <= 57 ? Number(name) : 0;
}
