/** Finds the QEMU processes of a host, by a look at what is new, or else by a scan of /proc. */
import { existsSync } from "node:fs";
import { basename, join } from "node:path";
import { errorCode, listIfThere, readIfThere, readlinkIfThere } from "../proc/read.ts";
import { statusField } from "../proc/stat.ts";
import { splitCommandLine } from "./command-line.ts";
import { isGiven, type Activity, type GivenIds } from "./task-activity.ts";

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
/** So many new ids are looked at one by one, 4 us each; with more, a scan is as cheap. */
const FEW_IDS = 64;

export interface ScanResult {
  /** Processes that run QEMU and are not known. */
  fresh: number[];
  /** Known processes that made threads; undefined: any may have. */
  grown: ReadonlySet<number> | undefined;
}

export class ProcessScanner {
  readonly #procRoot: string;
  /** Processes that were no QEMU, with the time of their first sight; {@link ALWAYS_OLD}: without a program. */
  #others = new Map<number, number>();
  #nextOld = 0;
  /** An id is given a little before its process can be seen: what was new in the last look is looked at once more. */
  #again: GivenIds | "all" | undefined;

  constructor(procRoot: string) {
    this.#procRoot = procRoot;
  }

  /**
   * @param known processes that are not to be looked at
   * @param nowUs any clock that does not go back, in microseconds
   * @param activity what began since the last look
   */
  scan(known: { has(pid: number): boolean }, nowUs: number, activity: Activity = "unknown"): ScanResult {
    const given = typeof activity === "object" ? activity : undefined;
    const again = this.#again;
    const isAll = activity === "unknown" || again === "all";
    this.#again = activity === "unknown" ? "all" : given;
    if (given !== undefined) this.#forget(given);
    const few = isAll
      ? undefined
      : idsOf(given && again ? { from: again.from, to: given.to } : (given ?? again));
    if (few === undefined) return { fresh: this.#scanAll(known, nowUs), grown: undefined };
    return this.#lookAt(few, known);
  }

  /** Ids that were given anew: what was known of their processes before is of others. */
  #forget(given: GivenIds): void {
    for (const pid of this.#others.keys()) if (isGiven(given, pid)) this.#others.delete(pid);
  }

  /** A process that turns into QEMU, however long after it began, is given away by the threads that it then makes. */
  #lookAt(ids: readonly number[], known: { has(pid: number): boolean }): ScanResult {
    const fresh = new Set<number>();
    const grown = new Set<number>();
    for (const id of ids) {
      const program = this.#isThere(id) ? this.#programOf(id) : undefined;
      if (program === undefined || !isQemuProgram(program)) continue;
      const leader = this.#leaderOf(id);
      if (leader !== undefined) (known.has(leader) ? grown : fresh).add(leader);
    }
    return { fresh: [...fresh], grown };
  }

  #scanAll(known: { has(pid: number): boolean }, nowUs: number): number[] {
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

  /** Asked first: reading what is gone costs three times as much, for the error. */
  #isThere(id: number): boolean {
    return existsSync(join(this.#procRoot, String(id)));
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

  /** The process of a thread. */
  #leaderOf(id: number): number | undefined {
    const status = readIfThere(join(this.#procRoot, String(id), "status"));
    const leader = Number(status === undefined ? undefined : statusField(status, "Tgid"));
    return leader > 0 ? leader : undefined;
  }
}

/** undefined: too many to be looked at one by one. */
function idsOf(given: GivenIds | undefined): number[] | undefined {
  if (given === undefined) return [];
  const count = given.to - given.from;
  return count < 0 || count > FEW_IDS
    ? undefined
    : Array.from({ length: count }, (_, at) => given.from + 1 + at);
}

/** 0 for what is no process. Called for every entry of /proc: no regular expression. */
function pidOf(name: string): number {
  const first = name.charCodeAt(0);
  return first >= 49 && first <= 57 ? Number(name) : 0;
}
