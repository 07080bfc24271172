/** The figures of a replay, ready to be printed: the same input gives the same bytes. */
import { quantileOf } from "./quantile.ts";
import type { GuestTally } from "./guest-tally.ts";
import type { Arm } from "./run.ts";

/** How steady the lists were, and how quickly load was found out. */
interface Steadiness {
  moves: number;
  flaps: number;
  unexcusedMoves: number;
  loadChanges: number;
  /** Spells that it had to be found for: found, with the delay, and over before it was. */
  detected: number;
  detectionMedianSeconds: number | null;
  detectionMaxSeconds: number | null;
  missed: number;
}

/** One guest under one policy. Lengths in seconds, CPU in cores, parts of vCPUs from 0 to 1. */
export interface GuestSummary extends Steadiness {
  uuid: string;
  name: string;
  vcpus: number;
  serviceSeconds: number;
  scientificSeconds: number;
  exemptSeconds: number;
  unreadableSeconds: number;
  usedPart: number;
  wantedPart: number;
  /** Entitlement, mean over the time. */
  mayHaveCores: number;
  ownCpusSeconds: number;
  idleRankSeconds: number;
  limitedSeconds: number;
}

/** All guests of a host under one policy. */
export interface ArmSummary extends Steadiness {
  policy: string;
  preset: string;
  alpha: number;
  alphaDown: number;
  beta: number;
  coolDownMs: number;
  plans: number;
  guests: number;
  scientificSeconds: number;
}

const seconds = (ms: number): number => rounded(ms / 1000);
/** Six digits: enough for everything, and no noise of the last bit. */
const rounded = (value: number): number => Number(value.toFixed(6));

export function guestSummary(tally: GuestTally): GuestSummary {
  const { times, steadiness, detection } = tally;
  const allMs = times.serviceMs + times.scientificMs + times.exemptMs;
  const mean = (sum: number): number => (allMs > 0 ? rounded(sum / allMs) : 0);
  return {
    uuid: tally.uuid,
    name: tally.name,
    vcpus: tally.vcpus,
    serviceSeconds: seconds(times.serviceMs),
    scientificSeconds: seconds(times.scientificMs),
    exemptSeconds: seconds(times.exemptMs),
    unreadableSeconds: seconds(times.unreadableMs),
    moves: steadiness.moves,
    flaps: steadiness.flaps,
    unexcusedMoves: steadiness.unexcused,
    loadChanges: steadiness.loadChanges,
    ...delays(detection.delaysMs),
    missed: detection.missedMs.length,
    usedPart: mean(times.usedPartMs),
    wantedPart: mean(times.wantedPartMs),
    mayHaveCores: mean(times.mayHaveCoreMs),
    ownCpusSeconds: seconds(times.ownCpusMs),
    idleRankSeconds: seconds(times.idleRankMs),
    limitedSeconds: seconds(times.limitedMs),
  };
}

export function armSummary({ policy, replayer }: Arm): ArmSummary {
  const tallies = [...replayer.tallies.values()];
  const sum = (of: (tally: GuestTally) => number): number => tallies.reduce((all, each) => all + of(each), 0);
  const { preset, alpha, alphaDown, beta, coolDownMs } = policy.settings;
  return {
    policy: policy.name,
    preset,
    alpha,
    alphaDown,
    beta,
    coolDownMs,
    plans: replayer.figures.plans,
    guests: tallies.length,
    moves: sum(({ steadiness }) => steadiness.moves),
    flaps: sum(({ steadiness }) => steadiness.flaps),
    unexcusedMoves: sum(({ steadiness }) => steadiness.unexcused),
    loadChanges: sum(({ steadiness }) => steadiness.loadChanges),
    ...delays(tallies.flatMap(({ detection }) => detection.delaysMs)),
    missed: sum(({ detection }) => detection.missedMs.length),
    scientificSeconds: seconds(sum(({ times }) => times.scientificMs)),
  };
}

function delays(
  ms: readonly number[],
): Pick<GuestSummary, "detected" | "detectionMedianSeconds" | "detectionMaxSeconds"> {
  const sorted = ms.toSorted((a, b) => a - b);
  const at = (part: number): number | null =>
    sorted.length === 0 ? null : seconds(quantileOf(sorted, part));
  return { detected: sorted.length, detectionMedianSeconds: at(0.5), detectionMaxSeconds: at(1) };
}
