/** Who ran with whom, from lines as the kernel writes them. */
import { expect, test } from "@jest/globals";
import { timelineOf } from "./timeline.ts";

const TIDS = [11, 12];
let at = 0;

/** A line of the trace, `us` microseconds after second 100. */
const line = (us: number, event: string, rest: string): string =>
  `     CPU 0/TCG-11      [00${at++ % 2}] d..2.   ${100 + Math.floor(us / 1e6)}.${String(us % 1e6).padStart(6, "0")}: ${event}: ${rest}`;
const away = (us: number, tid: number, state: string): string =>
  line(
    us,
    "sched_switch",
    `prev_comm=CPU 0/TCG prev_pid=${tid} prev_prio=120 prev_state=${state} ==> next_comm=apache next_pid=77 next_prio=120`,
  );
const here = (us: number, tid: number): string =>
  line(
    us,
    "sched_switch",
    `prev_comm=apache prev_pid=77 prev_prio=120 prev_state=S ==> next_comm=CPU 0/TCG next_pid=${tid} next_prio=120`,
  );
const woken = (us: number, tid: number): string =>
  line(us, "sched_waking", `comm=CPU 0/TCG pid=${tid} prio=120 target_cpu=001`);
const span = (from: number, to: number) => ({ fromUs: 100e6 + from, toUs: 100e6 + to });
const HEAD = "# tracer: nop\n#\n# entries-in-buffer/entries-written: 9/9   #P:2\n";

test("both run, one is switched out and the other spins, both run again", () => {
  const text = [HEAD, here(0, 11), here(0, 12), away(4000, 12, "R"), here(7000, 12)].join("\n");
  expect(timelineOf(text, TIDS, span(0, 10_000))).toEqual({
    ran: 0.014,
    ranWithout: 0.003,
    waited: 0.003,
    slept: 0,
  });
});

test("one sleeps, is woken and waits for a CPU until it has one", () => {
  const text = [here(0, 11), here(0, 12), away(2000, 12, "S"), woken(5000, 12), here(6000, 12)].join("\n");
  const found = timelineOf(text, TIDS, span(0, 10_000));
  expect(found.slept).toBeCloseTo(0.003, 9);
  expect(found.waited).toBeCloseTo(0.001, 9);
  expect(found.ranWithout).toBeCloseTo(0.001, 9);
  expect(found.ran).toBeCloseTo(0.015, 9);
});

test("one is replaced by the other on the same CPU, and preempted in the kernel (R+)", () => {
  const both =
    "prev_comm=CPU 0/TCG prev_pid=11 prev_prio=120 prev_state=R+ ==> next_comm=CPU 1/TCG next_pid=12 next_prio=120";
  const text = [here(0, 11), away(0, 12, "R"), line(5000, "sched_switch", both)].join("\n");
  expect(timelineOf(text, TIDS, span(0, 10_000))).toEqual({
    ran: 0,
    ranWithout: 0.01,
    waited: 0.01,
    slept: 0,
  });
});

test("who is woken while it runs goes on running", () => {
  const text = [here(0, 11), here(0, 12), woken(5000, 12)].join("\n");
  expect(timelineOf(text, TIDS, span(0, 10_000))).toEqual({ ran: 0.02, ranWithout: 0, waited: 0, slept: 0 });
});

test("nothing is counted before there is an event of each, outside the span, or of others", () => {
  const text = [here(1000, 11), here(3000, 77), here(5000, 12), away(20_000, 12, "R")].join("\n");
  expect(timelineOf(text, TIDS, span(0, 8000))).toEqual({ ran: 0.006, ranWithout: 0, waited: 0, slept: 0 });
});
