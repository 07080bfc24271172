/** /proc/PID/stat and /proc/PID/task/TID/stat (proc_pid_stat(5)). */

/** Clock ticks a second of the times in /proc: USER_HZ, 100 on every architecture that runs KVM (asm/param.h). */
export const USER_HZ = 100;

/** Scheduling policies, as in field 41 (include/uapi/linux/sched.h). */
export const SCHED_POLICY = { other: 0, fifo: 1, rr: 2, batch: 3, idle: 5, deadline: 6 } as const;

export interface ProcStat {
  pid: number;
  /** Name of the thread, at most 15 bytes; may contain spaces, parentheses and newlines. */
  comm: string;
  /** R, S, D, T (stopped), t (traced), Z (zombie), X (dead), I (idle kernel thread). */
  state: string;
  threads: number;
  /** Clock ticks after boot ({@link USER_HZ}). */
  startTime: number;
  /** CPU it last ran on. */
  processor: number;
  /** See {@link SCHED_POLICY}. */
  policy: number;
}

/** A file of /proc that does not read as the kernel documents it. */
export class ProcParseError extends Error {
  override readonly name = "ProcParseError";
  constructor(what: string, problem: string) {
    super(`${what}: ${problem}`);
  }
}

/** Field numbers of the manual page; the fields after comm begin with 3. */
const FIELD = { state: 3, threads: 20, startTime: 22, processor: 39, policy: 41 } as const;

/**
 * Parses one stat line. comm may hold `) R 1 (`: the fields are counted from the *last* parenthesis.
 * @throws {ProcParseError}
 */
export function parseProcStat(text: string): ProcStat {
  const open = text.indexOf("(");
  const close = text.lastIndexOf(")");
  if (open < 1 || close < open) throw new ProcParseError("stat", "has no command in parentheses");
  const fields = text
    .slice(close + 1)
    .trim()
    .split(" ");
  const number = (field: number): number => {
    const value = Number(fields[field - FIELD.state]);
    if (!Number.isInteger(value)) throw new ProcParseError("stat", `field ${field} is no number`);
    return value;
  };
  const pid = Number(text.slice(0, open).trim());
  const state = fields[0];
  if (!Number.isInteger(pid) || pid < 1) throw new ProcParseError("stat", "has no process id");
  if (state === undefined || state.length !== 1) throw new ProcParseError("stat", "has no state");
  return {
    pid,
    comm: text.slice(open + 1, close),
    state,
    threads: number(FIELD.threads),
    startTime: number(FIELD.startTime),
    processor: number(FIELD.processor),
    policy: number(FIELD.policy),
  };
}

/** Whether a policy ranks above every ordinary thread: FIFO, RR or DEADLINE. */
export function isRealtimePolicy(policy: number): boolean {
  return policy === SCHED_POLICY.fifo || policy === SCHED_POLICY.rr || policy === SCHED_POLICY.deadline;
}

/** Value of one `Key:\tvalue` line of /proc/PID/status, or undefined. */
export function statusField(text: string, key: string): string | undefined {
  // The Name line comes first and escapes newlines, so no name can fake a later line.
  const at = text.indexOf(`\n${key}:`);
  if (at < 0) return undefined;
  const from = at + key.length + 2;
  const end = text.indexOf("\n", from);
  return text.slice(from, end < 0 ? undefined : end).trim();
}
