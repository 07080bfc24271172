/**
 * Whether any process or thread began or ended on this host since the last look: one read of /proc/loadavg, 2 us, in place of
 * a look at every process.
 *
 * Its last field is the id that was given last, to a process or a thread; its fourth holds how many of both there are
 * (kernel: fs/proc/loadavg.c). Nothing begins without the first moving, nothing ends without the second.
 */
import { readlinkSync } from "node:fs";
import { join } from "node:path";
import { KeptFile } from "../host/kept-file.ts";
import { errorCode, readIfThere } from "../proc/read.ts";

/** `pid:[PROC_PID_INIT_INO]` (include/linux/proc_ns.h): the namespace that sees every process. */
const INITIAL_NAMESPACE = "pid:[4026531836]";
/** The text's numbers: running and existing tasks, last id. */
const TASKS = /^\S+ \S+ \S+ \d+\/(\d+) (\d+)\s*$/;

/** Ids that were given since the last look: after `from`, up to `to`, which is the lower one where ids began again at the bottom. */
export interface GivenIds {
  from: number;
  to: number;
}

export function isGiven({ from, to }: GivenIds, id: number): boolean {
  return to >= from ? id > from && id <= to : id > from || id <= to;
}

export type Activity =
  /** Nothing began or ended. */
  | "none"
  /** Something ended; nothing began. */
  | "ends"
  /** These began, others may have ended. */
  | GivenIds
  /** It cannot be told. */
  | "unknown";

export class TaskActivity implements Disposable {
  readonly #file: KeptFile | undefined;
  #tasks: number | undefined;
  #lastId: number | undefined;

  /** Without a procfs of the initial namespace the answer is always `unknown`: in others, ends stay hidden behind the begins of elsewhere. */
  constructor(procRoot: string) {
    if (isOfInitialNamespace(procRoot)) this.#file = new KeptFile(join(procRoot, "loadavg"));
  }

  /** The first look knows nothing. */
  look(): Activity {
    const found = this.#file === undefined ? null : TASKS.exec(this.#file.read());
    if (found === null) return "unknown";
    const [tasks, lastId] = [Number(found[1]), Number(found[2])];
    const [tasksBefore, from] = [this.#tasks, this.#lastId];
    this.#tasks = tasks;
    this.#lastId = lastId;
    if (from === undefined || tasksBefore === undefined) return "unknown";
    if (from !== lastId) return { from, to: lastId };
    // More of them without an id given: somebody chose it (clone3 with set_tid, as CRIU does).
    if (tasks > tasksBefore) return "unknown";
    return tasks === tasksBefore ? "none" : "ends";
  }

  close(): void {
    this.#file?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** Ours is asked for, and loadavg is of the reader's: both must be the one that `procRoot` shows. */
function isOfInitialNamespace(procRoot: string): boolean {
  try {
    return (
      readlinkSync(join(procRoot, "self/ns/pid")) === INITIAL_NAMESPACE &&
      readIfThere(join(procRoot, "loadavg")) !== undefined
    );
  } catch (error) {
    if (errorCode(error) === undefined) throw error;
    return false;
  }
}
