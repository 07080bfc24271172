/** The worked example of docs/how-it-decides.md, decided by the real decide(). One host, one guest of each kind. */
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { Decision, GuestSample, HostState } from "@kvm-governor/policy";

/** vCPUs of a guest that all ran and waited alike, as parts of the period. */
interface Load {
  vcpus: number;
  run: number;
  delay: number;
}

const SETTINGS = settingsSchema.parse({ alpha: 0.7, beta: 3, coolDownMs: 5000 });
const BOOT = "0b5a7a0e-0001-4000-8000-000000000001";

export const WEB = "00000000-0000-4000-8000-000000000001";
export const SOLVER = "00000000-0000-4000-8000-000000000002";

type Decided = Extract<Decision, { kind: "decided" }>;

/**
 * Eight CPUs. `web`: 2 vCPUs, promised 1.5 cores, runs 30% of the time. `solver`: 4 vCPUs that want everything and run under a
 * quota of 0.4 cores each, so they run 40% and wait 60%; once it is free it runs all the time; from period 9 on it is quiet.
 */
export function workedExample(): Decided[] {
  const decisions: Decided[] = [];
  let state: HostState | undefined;
  for (let period = 1; period <= 14; period++) {
    const isFree = state?.guests[SOLVER]?.class === "scientific";
    const busy = isFree ? { vcpus: 4, run: 1, delay: 0 } : { vcpus: 4, run: 0.4, delay: 0.6 };
    const solver = period < 9 ? busy : { vcpus: 4, run: 0.02, delay: 0 };
    const guests = [
      guest(WEB, "web", { vcpus: 2, run: 0.3, delay: 0.05 }, { class: "auto", slaCores: 1.5 }),
      guest(SOLVER, "solver", solver, { class: "auto" }),
    ];
    const decision = decide(state, sampleOf(period, guests), SETTINGS);
    if (decision.kind !== "decided") throw new Error("a new sample was taken for a repeated one");
    decisions.push(decision);
    state = decision.next;
  }
  return decisions;
}

function guest(
  uuid: string,
  name: string,
  { vcpus, run, delay }: Load,
  declared: GuestSample["declared"],
): GuestSample {
  return {
    uuid,
    name,
    pid: 1000,
    startTime: 5000,
    state: "running",
    declared,
    vcpus: Array.from({ length: vcpus }, (_, index) => ({ index, run, delay })),
    otherRun: 0,
  };
}

function sampleOf(period: number, guests: GuestSample[]): Parameters<typeof decide>[1] {
  return {
    schema: 1,
    host: "h1",
    bootId: BOOT,
    sequence: period * 1_000_000,
    wallTimeMs: 1_800_000_000_000 + period * 1000,
    periodMs: 1000,
    cpus: [0, 1, 2, 3, 4, 5, 6, 7],
    hostRun: 0.2,
    guests,
    unreadable: [],
  };
}

/** The table of the page: what decide() saw and did with `solver`, period by period. */
export function workedTable(decisions: readonly Decided[]): string {
  const rows = decisions.map(({ plan, report }, at) => {
    const seen = report.guests.find(({ uuid }) => uuid === SOLVER);
    const held = plan.guests.find(({ uuid }) => uuid === SOLVER);
    if (seen === undefined || held === undefined) throw new Error("solver is not in the plan");
    const { usage, demand, crossed, count, entitlementCores } = seen;
    const list = seen.class === "scientific" ? "LIST_sc" : "LIST_se";
    const may = entitlementCores.toFixed(2);
    const cpus = held.vcpus
      .map(({ cpus: own }) => (own === "baseline" ? "as found" : own.join(" ")))
      .join(", ");
    const place = cpus.startsWith("as found") ? "as found" : cpus;
    const cells = [
      at + 1,
      usage.toFixed(2),
      demand.toFixed(2),
      crossed ? "yes" : "no",
      count,
      list,
      may,
      held.weight,
      place,
      plan.generation,
    ];
    return `| ${cells.join(" | ")} |`;
  });
  const head = ["period", "ran", "wanted", "crossed", "count", "list", "may have", "weight", "CPUs", "plan"];
  return [`| ${head.join(" | ")} |`, `| ${head.map(() => "---").join(" | ")} |`, ...rows].join("\n");
}

/** Reasons of `solver` in one period, counted from 1. */
export function solverReasons(decisions: readonly Decided[], period: number): string[] {
  const held = decisions[period - 1]?.plan.guests.find(({ uuid }) => uuid === SOLVER);
  return (held?.reasons ?? []).map(({ text }) => text);
}
