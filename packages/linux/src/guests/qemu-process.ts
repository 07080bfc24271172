/** One QEMU process and its threads, watched at little cost. */
import { closeSync, fstatSync, openSync } from "node:fs";
import { join } from "node:path";
import { isVanished, listIfThere, readIfThere } from "../proc/read.ts";
import { parseProcStat, USER_HZ } from "../proc/stat.ts";
import { parseQemuCommandLine, splitCommandLine } from "./command-line.ts";
import type { QemuCommandLine } from "./command-line.ts";
import type { ThreadName } from "./threads.ts";

/** How often threads are listed though their number stays, where one may have taken the place of another. */
const RELIST_US = 4_000_000;
/** How often they are where none can have: stops by a signal and changes of policy leave no other trace. */
const SETTLED_RELIST_US = 15_000_000;
/** A process younger than this is listed at every look: QEMU names its threads after it has made them. */
const SETTLING_US = 5_000_000;

/** What may have happened to a process's threads since the last look, as far as is known without a look at them. */
export interface ThreadHints {
  mayHaveGrown: boolean;
  mayHaveShrunk: boolean;
}

const ANYTHING: ThreadHints = { mayHaveGrown: true, mayHaveShrunk: true };
const VCPU_NAME = /^CPU /;

export class QemuProcess {
  readonly pid: number;
  /** Clock ticks after boot. */
  readonly startTime: number;
  readonly commandLine: QemuCommandLine;
  /** As of the last look that found a change. */
  threads: readonly ThreadName[] = [];
  /** Stopped by a signal, as of the last listing. */
  isStopped = false;
  readonly #dir: string;
  /** Kept open: its inode is of this very process, whoever gets its id afterwards. */
  readonly #taskFd: number;
  #links = -1;
  /** Threads may have come since they were listed. */
  #mayHaveGrown = true;
  #seen = "";
  /** Of threads that are named as vCPUs, as of the last listing. */
  readonly #policies = new Map<number, number>();
  #listedAtUs = 0;
  readonly #comms = new Map<number, string>();

  private constructor(dir: string, facts: { pid: number; startTime: number; commandLine: QemuCommandLine }) {
    this.#dir = dir;
    this.#taskFd = openSync(join(dir, "task"), "r");
    this.pid = facts.pid;
    this.startTime = facts.startTime;
    this.commandLine = facts.commandLine;
  }

  /** @returns undefined where the process is gone, or a zombie */
  static open(procRoot: string, pid: number): QemuProcess | undefined {
    const dir = join(procRoot, String(pid));
    const cmdline = readIfThere(join(dir, "cmdline"));
    const leader = readLeader(dir, pid);
    if (cmdline === undefined || leader === undefined) return undefined;
    const commandLine = parseQemuCommandLine(splitCommandLine(cmdline));
    try {
      return new QemuProcess(dir, { pid, startTime: leader.startTime, commandLine });
    } catch (error) {
      if (isVanished(error)) return undefined;
      throw error;
    }
  }

  /** @param nowUs CLOCK_BOOTTIME, which start times are counted in */
  ageUs(nowUs: number): number {
    return nowUs - this.startTime * (1_000_000 / USER_HZ);
  }

  /**
   * Looks whether the process lives and lists its threads where they may have changed. The number of threads is in the
   * link count of /proc/PID/task (proc_task_getattr in fs/proc/base.c), one cheap call; 0 threads: it is gone.
   * @returns `changed`: threads, their names or policies, or the state are others than at the last look
   */
  look(nowUs: number, { mayHaveGrown, mayHaveShrunk }: ThreadHints = ANYTHING): "gone" | "same" | "changed" {
    this.#mayHaveGrown ||= mayHaveGrown;
    const relistUs = this.#mayHaveGrown ? RELIST_US : SETTLED_RELIST_US;
    const isDue = nowUs - this.#listedAtUs >= relistUs || this.ageUs(nowUs) < SETTLING_US;
    if (!isDue && !mayHaveGrown && !mayHaveShrunk) return "same";
    const links = fstatSync(this.#taskFd).nlink;
    if (links === this.#links && !isDue) return "same";
    const leader = readLeader(this.#dir, this.pid);
    const tids = listIfThere(join(this.#dir, "task"));
    if (leader === undefined || tids === undefined || leader.startTime !== this.startTime) return "gone";
    this.isStopped = leader.state === "T" || leader.state === "t";
    this.threads = this.#nameThreads(tids.map(Number), leader.comm, nowUs);
    this.#links = links;
    // Spread over time, so that the guests that arrived together are not all listed in the same look.
    this.#listedAtUs = nowUs - (this.#listedAtUs === 0 ? (this.pid % 8) * (relistUs / 8) : 0);
    this.#readPolicies();
    const seen = JSON.stringify([this.isStopped, this.threads, [...this.#policies]]);
    const isChanged = seen !== this.#seen;
    this.#seen = seen;
    // A thread that is new may not have its name yet.
    this.#mayHaveGrown = isChanged;
    return isChanged ? "changed" : "same";
  }

  /** Scheduling policy of a thread that is named as a vCPU, see SCHED_POLICY; undefined: of another, or gone. */
  policyOf(tid: number): number | undefined {
    return this.#policies.get(tid);
  }

  close(): void {
    closeSync(this.#taskFd);
  }

  #readPolicies(): void {
    this.#policies.clear();
    for (const { tid, comm } of this.threads) {
      const text = VCPU_NAME.test(comm)
        ? readIfThere(join(this.#dir, "task", String(tid), "stat"))
        : undefined;
      if (text !== undefined) this.#policies.set(tid, parseProcStat(text).policy);
    }
  }

  #nameThreads(tids: readonly number[], leaderComm: string, nowUs: number): ThreadName[] {
    const alive = new Set(tids);
    for (const tid of this.#comms.keys()) if (!alive.has(tid)) this.#comms.delete(tid);
    return tids.flatMap((tid) => {
      const known = this.#comms.get(tid);
      // A thread is born with the name of the one that made it.
      const isFinal = known !== undefined && known !== leaderComm && this.ageUs(nowUs) >= SETTLING_US;
      const comm = isFinal ? known : readComm(this.#dir, tid);
      if (comm === undefined) return [];
      this.#comms.set(tid, comm);
      return [{ tid, comm }];
    });
  }
}

function readComm(dir: string, tid: number): string | undefined {
  return readIfThere(join(dir, "task", String(tid), "comm"))?.replace(/\n$/, "");
}

/** The leader's own stat: that of the process sums up all threads, which costs more with each of them. */
function readLeader(dir: string, pid: number): ReturnType<typeof parseProcStat> | undefined {
  const text = readIfThere(join(dir, "task", String(pid), "stat"));
  if (text === undefined) return undefined;
  const stat = parseProcStat(text);
  return stat.state === "Z" || stat.state === "X" ? undefined : stat;
}
