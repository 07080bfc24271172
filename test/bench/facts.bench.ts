/**
 * What it costs that classifiers ask each other: CPU time of an answer, in all and at a stretch; what reading it costs who asks; and how late ticks come, while nobody asks and while three consoles look at fleet, host and guest each second. `--answers` leaves the ticks out.
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
import type { Aim, Arm, Figures, Lookup } from "./harness.ts";
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

function cpuMs(before: NodeJS.CpuUsage): number {
  const { user, system } = process.threadCpuUsage(before);
  return (user + system) / 1000;
}

/** Asks one question. @returns the answer, and CPU time of the main thread for it, which compresses nothing */
async function ask(
  { answering }: Member,
  kind: What,
  question: object,
): Promise<{ pieces: Uint8Array[]; answerMs: number }> {
  const data = await pack(question);
  const pieces: Uint8Array[] = [];
  const before = process.threadCpuUsage();
  answering.asked({ kind, data, bytesMax: 1 << 30, answer: (piece) => void pieces.push(piece) });
  while (pieces.length === 0) await sleep(5);
  return { pieces, answerMs: cpuMs(before) };
}

function answers(name: string, hosts: number, guestsOfHost: number, what: What, question: object) {
  const { room, member } = working(hosts, guestsOfHost);
  return {
    name,
    measure: async (): Promise<Figures> => {
      room.nowMs += 1000;
      const { pieces, answerMs } = await ask(member, what, question);
      const before = process.threadCpuUsage();
      let kb = 0;
      for (const piece of pieces) {
        await readAnswer(what, piece);
        kb += piece.length / 1000;
      }
      return {
        answer_cpu_ms: answerMs,
        // Between two pieces everything else has its turn.
        piece_cpu_ms: answerMs / pieces.length,
        read_cpu_ms: cpuMs(before),
        sent_kb: kb,
      };
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
      const cpu = process.threadCpuUsage();
      for (let at = 0; at < SECONDS * TICKS_A_SECOND; at++) {
        const dueMs = from + (at * 1000) / TICKS_A_SECOND;
        if (consoles > 0 && at % TICKS_A_SECOND === 0) void look();
        await sleep(Math.max(0, dueMs - performance.now()));
        tick();
        late.push(performance.now() - dueMs);
      }
      const { median, p99 } = spreadOf(late);
      return { late_p50_ms: median, late_p99_ms: p99, cpu_ms_a_s: cpuMs(cpu) / SECONDS };
    },
  };
}

const ANSWERS: Arm[] = [
  answers("host of 50 guests", 1, GUESTS, "host", { host: "h0" }),
  answers("host of 500 guests", 1, 500, "host", { host: "h0" }),
  answers("guest, its host of 50", 1, GUESTS, "host", { host: "h0", guest: uuidOf(0) }),
  answers("fleet of 1,000 hosts", HOSTS, GUESTS, "fleet", {}),
];
const [QUIET, ASKED] = ["100 ticks a second, nobody asks", "100 ticks a second, three consoles"] as const;

const answerAims = (result: Lookup): Aim[] => [
  below("at a stretch, a host of 50 guests, ms", 5, result("host of 50 guests", "piece_cpu_ms").median),
  below("at a stretch, 1,000 hosts, ms", 20, result("fleet of 1,000 hosts", "piece_cpu_ms").median),
];
const tickAims = (result: Lookup): Aim[] =>
  (
    [
      ["CPU that three consoles add, ms a second", "cpu_ms_a_s", 50],
      ["ticks later by, p50, ms", "late_p50_ms", 1],
    ] as const
  ).map(([what, figure, most]) =>
    below(what, most, result(ASKED, figure).median - result(QUIET, figure).median),
  );

const isAnswersOnly = process.argv.includes("--answers");
await runBench({
  name: "facts",
  rounds: 8,
  arms: isAnswersOnly ? ANSWERS : [...ANSWERS, ticks(QUIET, 0), ticks(ASKED, 3)],
  aims: (result) => [...answerAims(result), ...(isAnswersOnly ? [] : tickAims(result))],
});
