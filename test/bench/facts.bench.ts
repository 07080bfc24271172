/**
 * What it costs that classifiers ask each other: for how long an answer holds up everything else, in all and at a stretch; what reading it
 * costs who asks; and how late ticks come, while nobody asks and while three consoles look at fleet, host and guest each second.
 */
import { performance } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { decide } from "@kvm-governor/policy";
import type { HostState } from "@kvm-governor/policy";
import { pack, readAnswer } from "../../services/classifier/src/facts/messages.ts";
import type { What } from "../../services/classifier/src/facts/messages.ts";
import { FINE } from "../../services/classifier/src/series/series.ts";
import { Room, SETTINGS } from "../../services/classifier/src/testing/room.ts";
import type { Member } from "../../services/classifier/src/testing/room.ts";
import { guestSample, sampleOf, uuidOf } from "../../services/classifier/src/testing/samples.ts";
import { below, runBench } from "./harness.ts";
import type { Figures } from "./harness.ts";
import { spreadOf } from "./statistics.ts";

const HOSTS = 1000;
const GUESTS = 50;
const VCPUS = 4;
const TICKS_A_SECOND = 100;
const SECONDS = 3;

const guests = (count: number) =>
  Array.from({ length: count }, (_, n) => guestSample(n, { run: (n % 9) / 10, vcpus: VCPUS }));

/** A classifier that works off so many hosts; the first guest's course is full. */
function working(hosts: number, guestsOfHost: number): { room: Room; member: Member } {
  const room = new Room();
  const member = room.join("answers");
  const some = guests(guestsOfHost);
  for (let n = 0; n < hosts; n++) member.tick(`h${n}`, some);
  for (let point = 0; point < FINE.points && hosts === 1; point++) {
    room.nowMs += 1000;
    member.tick("h0", some);
  }
  return { room, member };
}

interface Asked {
  pieces: Uint8Array[];
  /** Times for which nothing else ran, in milliseconds. */
  holds: number[];
}

/** One question, and for how long the event loop stood still at a time while it was answered. */
async function ask({ answering }: Member, kind: What, question: object): Promise<Asked> {
  const data = await pack(question);
  const pieces: Uint8Array[] = [];
  const holds: number[] = [];
  let isDone = false;
  let last = performance.now();
  const watch = (): void => {
    const now = performance.now();
    holds.push(now - last);
    last = now;
    if (!isDone) setImmediate(watch);
  };
  setImmediate(watch);
  answering.asked({ kind, data, bytesMax: 1 << 30, answer: (piece) => void pieces.push(piece) });
  while (pieces.length === 0) await sleep(1);
  await sleep(2);
  isDone = true;
  return { pieces, holds };
}

function answers(name: string, hosts: number, guestsOfHost: number, what: What, question: object) {
  const { room, member } = working(hosts, guestsOfHost);
  return {
    name,
    measure: async (): Promise<Figures> => {
      room.nowMs += 1000;
      const { pieces, holds } = await ask(member, what, question);
      const from = performance.now();
      let kb = 0;
      for (const piece of pieces) {
        await readAnswer(what, piece);
        kb += piece.length / 1000;
      }
      return { longest_hold_ms: Math.max(...holds), read_ms: performance.now() - from, sent_kb: kb };
    },
  };
}

/** Ticks of 100 hosts, one every 10 ms: how late each is done. @param consoles that look at fleet, a host and a guest each second */
function ticks(name: string, consoles: number) {
  const { room, member } = working(HOSTS, GUESTS);
  const states = new Map<string, HostState>();
  const some = guests(GUESTS);
  let n = 0;
  const tick = (): void => {
    const host = `h${n % TICKS_A_SECOND}`;
    const sample = sampleOf(host, 1000 + n++, some);
    const decision = decide(states.get(host), sample, SETTINGS);
    if (decision.kind !== "decided") throw new Error("not decided");
    states.set(host, decision.next);
    member.views.decided(sample, decision.plan, decision.report);
    member.series.decided(sample, decision.plan, decision.report);
  };
  const look = async (): Promise<void> => {
    room.nowMs += 1000;
    const about = [["fleet", {}], ["host", { host: "h0" }], ["host", { host: "h0", guest: uuidOf(0) }]] as const; // prettier-ignore
    for (const [kind, question] of about) {
      const data = await pack(question);
      for (let each = 0; each < consoles; each++)
        member.answering.asked({ kind, data, bytesMax: 1 << 30, answer: () => undefined });
    }
  };
  return {
    name,
    measure: async (): Promise<Figures> => {
      const late: number[] = [];
      const from = performance.now();
      const cpu = process.cpuUsage();
      for (let at = 0; at < SECONDS * TICKS_A_SECOND; at++) {
        const dueMs = from + (at * 1000) / TICKS_A_SECOND;
        if (consoles > 0 && at % TICKS_A_SECOND === 0) void look();
        await sleep(Math.max(0, dueMs - performance.now()));
        tick();
        late.push(performance.now() - dueMs);
      }
      const { user, system } = process.cpuUsage(cpu);
      const { median, p99 } = spreadOf(late);
      return { late_p50_ms: median, late_p99_ms: p99, cpu_ms_a_s: (user + system) / 1000 / SECONDS };
    },
  };
}

await runBench({
  name: "facts",
  rounds: 8,
  arms: [
    answers("host of 50 guests", 1, GUESTS, "host", { host: "h0" }),
    answers("host of 500 guests", 1, 500, "host", { host: "h0" }),
    answers("guest, its host of 50", 1, GUESTS, "host", { host: "h0", guest: uuidOf(0) }),
    answers("fleet of 1,000 hosts", HOSTS, GUESTS, "fleet", {}),
    ticks("100 ticks a second, nobody asks", 0),
    ticks("100 ticks a second, three consoles", 3),
  ],
  aims: (result) => [
    below("longest hold, a host of 50 guests, ms", 5, result("host of 50 guests", "longest_hold_ms").median),
    below("longest hold, 1,000 hosts, ms", 20, result("fleet of 1,000 hosts", "longest_hold_ms").median),
    below(
      "CPU that three consoles add, ms a second",
      50,
      result("100 ticks a second, three consoles", "cpu_ms_a_s").median -
        result("100 ticks a second, nobody asks", "cpu_ms_a_s").median,
    ),
    below(
      "ticks later by, p50, ms",
      1,
      result("100 ticks a second, three consoles", "late_p50_ms").median -
        result("100 ticks a second, nobody asks", "late_p50_ms").median,
    ),
  ],
});
