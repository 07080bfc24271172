/** Works out the figures of a run from what was written down. Pure. */
import type { ArmRecord, BusyPhase, Progress, Reading, Span } from "./arm-record.ts";
import type { Part } from "./cast.ts";
import type { GuestReading } from "./kernel-meter.ts";

/** Figures of one run; null where the run says nothing about them. */
export interface Figures {
  /** Check periods from the start of the load to LIST_sc: the slower of the two starts. */
  promotedAfterPeriods: number | null;
  /** Check periods from the end of the load to LIST_se: the slower of the two. */
  demotedAfterPeriods: number | null;
  /** CPU time of the scientific guest over what the services left, at most all its vCPUs. */
  scientificShareOfIdle: number | null;
  /** CPU time of the web guests in their bursts over their SLA; what one got beyond it does not count. */
  webSlaRatio: number | null;
  /** CPU of the scientific guest while it was busy, in cores. */
  scientificCores: number | null;
  /** Of the scientific guest's vCPUs while it was busy. */
  contextSwitchesPerSecond: number | null;
  /** Of all guests' vCPUs in the same time. */
  allContextSwitchesPerSecond: number | null;
  /** Barrier rounds a second of the scientific guest in the same time. */
  scientificProgress: number | null;
  /** What everything that is no guest used in the same time, in cores: the manager, this demo, the host. */
  hostCores: number | null;
}

export interface FigureFacts {
  parts: readonly Part[];
  /** CPUs of the host. */
  cpus: number;
  checkPeriodMs: number;
}

export function figuresOf(record: ArmRecord, facts: FigureFacts): Figures {
  const spans = record.phases.flatMap((phase) => phase.held);
  return {
    promotedAfterPeriods: slowest(record.phases, facts, (phase) =>
      delay(phase.startedAtMs, phase.promotedAtMs),
    ),
    demotedAfterPeriods: slowest(record.phases, facts, (phase) =>
      delay(phase.stoppedAtMs, phase.demotedAtMs),
    ),
    ...shareFigures(spans, facts),
    webSlaRatio: webSlaRatio(record, facts.parts),
    scientificProgress: progressRate(spans, record.progress),
  };
}

function delay(fromMs: number | undefined, toMs: number | undefined): number | undefined {
  return fromMs === undefined || toMs === undefined ? undefined : toMs - fromMs;
}

/** Null where the move was missed in any phase: the others do not make up for it. */
function slowest(
  phases: readonly BusyPhase[],
  { checkPeriodMs }: FigureFacts,
  delayOf: (phase: BusyPhase) => number | undefined,
): number | null {
  const delays = phases.map(delayOf);
  if (delays.length === 0) return null;
  return delays.reduce<number | null>((worst, each) => {
    if (worst === null || each === undefined) return null;
    return Math.max(worst, round(each / checkPeriodMs));
  }, 0);
}

type ShareFigures = Pick<
  Figures,
  | "scientificShareOfIdle"
  | "scientificCores"
  | "contextSwitchesPerSecond"
  | "allContextSwitchesPerSecond"
  | "hostCores"
>;

function shareFigures(spans: readonly Span<Reading>[], { parts, cpus }: FigureFacts): ShareFigures {
  let [seconds, got, left, switches, allSwitches, hostNs] = [0, 0, 0, 0, 0, 0];
  for (const span of spans) {
    const spanNs = lengthNs(span);
    const idleNs = span.to.hostIdleNs - span.from.hostIdleNs;
    let [scientificNs, vcpus, guestsNs] = [0, 0, 0];
    for (const part of parts) {
      const change = guestChange(span, part.name);
      guestsNs += change.runNs;
      allSwitches += change.switches;
      if (part.role !== "scientific") continue;
      scientificNs += change.runNs;
      switches += change.switches;
      vcpus += part.vcpus;
    }
    seconds += spanNs / 1e9;
    got += scientificNs;
    left += Math.min(scientificNs + idleNs, vcpus * spanNs);
    hostNs += Math.max(0, cpus * spanNs - idleNs - guestsNs);
  }
  const isKnown = seconds > 0;
  return {
    scientificShareOfIdle: isKnown ? round(got / left, 4) : null,
    scientificCores: isKnown ? round(got / 1e9 / seconds) : null,
    contextSwitchesPerSecond: isKnown ? round(switches / seconds, 1) : null,
    allContextSwitchesPerSecond: isKnown ? round(allSwitches / seconds, 1) : null,
    hostCores: isKnown ? round(hostNs / 1e9 / seconds, 3) : null,
  };
}

/** The readings of a span are taken one after the other, within a millisecond: the first guest's time stands for all. */
function lengthNs({ from, to }: Span<Reading>): number {
  const name = from.guests.keys().next().value ?? "";
  return ((to.guests.get(name)?.atMs ?? 0) - (from.guests.get(name)?.atMs ?? 0)) * 1e6;
}

function guestChange({ from, to }: Span<Reading>, name: string): { runNs: number; switches: number } {
  const [before, after] = [from.guests.get(name), to.guests.get(name)];
  if (before === undefined || after === undefined) return { runNs: 0, switches: 0 };
  return { runNs: after.runNs - before.runNs, switches: after.switches - before.switches };
}

function webSlaRatio({ bursts }: ArmRecord, parts: readonly Part[]): number | null {
  let [got, promised] = [0, 0];
  for (const { name, slaCores } of parts) {
    if (slaCores === undefined) continue;
    for (const { from, to } of bursts.get(name) ?? []) {
      const promisedNs = slaCores * (to.atMs - from.atMs) * 1e6;
      got += Math.min(to.runNs - from.runNs, promisedNs);
      promised += promisedNs;
    }
  }
  return promised === 0 ? null : round(got / promised, 4);
}

function progressRate(spans: readonly Span<Reading>[], progress: readonly Progress[]): number | null {
  let [rounds, ms] = [0, 0];
  for (const span of spans) {
    const [fromMs, toMs] = [startOf(span.from), startOf(span.to)];
    const within = progress.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
    const [first, last] = [within[0], within.at(-1)];
    if (first === undefined || last === undefined) continue;
    rounds += last.rounds - first.rounds;
    ms += last.atMs - first.atMs;
  }
  return ms === 0 ? null : round((rounds / ms) * 1000, 1);
}

function startOf({ guests }: Reading): number {
  const first: GuestReading | undefined = guests.values().next().value;
  return first?.atMs ?? 0;
}

function round(value: number, digits = 2): number {
  return Number(value.toFixed(digits));
}

export interface Latency {
  p50: number | null;
  p99: number | null;
  n: number;
}

/** Fewer samples say nothing about a 99th percentile. */
export const LATENCY_SAMPLES_MIN = 500;

/** Percentiles by nearest rank, in milliseconds. */
export function latencyOf(samplesMs: readonly number[]): Latency {
  const n = samplesMs.length;
  if (n < LATENCY_SAMPLES_MIN) return { p50: null, p99: null, n };
  const sorted = samplesMs.toSorted((a, b) => a - b);
  const rank = (part: number): number => round(sorted[Math.ceil(part * n) - 1] ?? 0);
  return { p50: rank(0.5), p99: rank(0.99), n };
}
