/** From the kernel's scheduling events of a guest's vCPUs: how much of the time they ran together, and who waited for whom. Pure. */

/** Of all vCPUs together, in seconds: the sum is the number of vCPUs times the time that was recorded. */
export interface Together {
  /** Ran while none of the others was kept from running. */
  ran: number;
  /** Ran while another one was runnable and had no CPU. At a barrier that is spinning in vain. */
  ranWithout: number;
  /** Runnable without a CPU. */
  waited: number;
  /** The guest had nothing for it to do, or it sleeps at a barrier. */
  slept: number;
}

export interface Span {
  /** Microseconds of the trace's clock. */
  fromUs: number;
  toUs: number;
}

type State = "running" | "runnable" | "asleep";

interface Change {
  atUs: number;
  tid: number;
  state: State;
}

const LINE = /\[\d+\] \S+ +(\d+)\.(\d{6}): (sched_switch|sched_waking): (.*)$/;
const SWITCH = /prev_pid=(\d+) prev_prio=-?\d+ prev_state=(\S+) ==> .*next_pid=(\d+) next_prio=/;
const WAKING = / pid=(\d+) prio=/;

/**
 * @param text of the file `trace`: events `sched_switch` and `sched_waking`, oldest first (Documentation/trace/events.rst)
 * @param tids of the vCPUs; counting begins when there was an event of each
 */
export function timelineOf(text: string, tids: readonly number[], span: Span): Together {
  const total: Together = { ran: 0, ranWithout: 0, waited: 0, slept: 0 };
  const states = new Map<number, State>();
  let atUs = span.fromUs;
  const advance = (toUs: number): void => {
    const us = Math.min(toUs, span.toUs) - atUs;
    if (us <= 0) return;
    if (states.size === tids.length) add(total, states, us / 1e6);
    atUs += us;
  };
  for (const change of changesOf(text, new Set(tids))) {
    advance(change.atUs);
    // Who is woken while it runs, or is runnable already, stays what it is.
    if (change.state === "runnable" && states.get(change.tid) === "running" && change.isWaking) continue;
    states.set(change.tid, change.state);
  }
  advance(span.toUs);
  return total;
}

function add(total: Together, states: ReadonlyMap<number, State>, seconds: number): void {
  let running = 0;
  let runnable = 0;
  for (const state of states.values()) {
    if (state === "running") running += 1;
    else if (state === "runnable") runnable += 1;
  }
  total[runnable > 0 ? "ranWithout" : "ran"] += running * seconds;
  total.waited += runnable * seconds;
  total.slept += (states.size - running - runnable) * seconds;
}

function* changesOf(text: string, tids: ReadonlySet<number>): Generator<Change & { isWaking: boolean }> {
  for (const line of text.split("\n")) {
    const [, seconds, micros, event, rest = ""] = LINE.exec(line) ?? [];
    if (event === undefined) continue; // headings, and what the buffer lost
    const atUs = Number(seconds) * 1e6 + Number(micros);
    if (event === "sched_waking") {
      const tid = Number(WAKING.exec(rest)?.[1]);
      if (tids.has(tid)) yield { atUs, tid, state: "runnable", isWaking: true };
      continue;
    }
    const [, prev, state = "", next] = SWITCH.exec(rest) ?? [];
    // R, R+: it wanted to go on.
    const left: State = state.startsWith("R") ? "runnable" : "asleep";
    if (tids.has(Number(prev))) yield { atUs, tid: Number(prev), state: left, isWaking: false };
    if (tids.has(Number(next))) yield { atUs, tid: Number(next), state: "running", isWaking: false };
  }
}
