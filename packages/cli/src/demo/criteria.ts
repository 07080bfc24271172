/** What the demo has to show, held against what was measured. Pure. */
import type { Figures, Latency } from "./figures.ts";

export interface Criterion {
  /** Name of the figure. */
  what: string;
  /** In words, for people. */
  want: string;
  measured: number | boolean | null;
  /** The same figure without a manager; null where it has no meaning. */
  off: number | boolean | null;
  met: boolean;
}

/** The run from a baseline that is not the default: a quota below alpha held the scientific guest. */
export interface HeldBefore {
  /** Quota of the scientific guest in that baseline, as part of each vCPU. */
  quota: number;
  promotedAfterPeriods: number | null;
  /** CPU of the busy scientific guest before the manager came, and in LIST_sc. */
  scientificCores: { before: number; after: number | null };
  restored: boolean;
}

export interface Measured {
  on: Figures;
  off: Figures;
  beta: number;
  sampleToReadBackMs: Latency;
  restored: boolean;
  heldBefore: HeldBefore;
}

const SHARE_MIN = 0.9;
const SLA_MIN = 0.95;
/** Aim for the 99th percentile from sample to read-back, in milliseconds. */
const LATENCY_P99_MAX = 50;

interface Test {
  what: string;
  want: string;
  measured: number | boolean | null;
  off: number | boolean | null;
  isMet: (value: number | boolean | null) => boolean;
}

const atMost = (limit: number) => (value: unknown) => typeof value === "number" && value <= limit;
const atLeast = (limit: number) => (value: unknown) => typeof value === "number" && value >= limit;
const isTrue = (value: unknown): boolean => value === true;

function tests({ on, off, beta, sampleToReadBackMs, restored, heldBefore }: Measured): Test[] {
  const periods = beta + 2;
  const list: Test[] = [
    {
      what: "promotedAfterPeriods",
      want: `at most beta + 2 = ${periods} check periods from the start of the load to LIST_sc`,
      measured: on.promotedAfterPeriods,
      off: off.promotedAfterPeriods,
      isMet: atMost(periods),
    },
    {
      what: "demotedAfterPeriods",
      want: `at most beta + 2 = ${periods} check periods from the end of the load to LIST_se`,
      measured: on.demotedAfterPeriods,
      off: off.demotedAfterPeriods,
      isMet: atMost(periods),
    },
    {
      what: "scientificShareOfIdle",
      want: `at least ${SHARE_MIN} of the CPU that services leave, or of all its vCPUs`,
      measured: on.scientificShareOfIdle,
      off: off.scientificShareOfIdle,
      isMet: atLeast(SHARE_MIN),
    },
    {
      what: "webSlaRatio",
      want: `at least ${SLA_MIN} of its SLA whenever it wants it`,
      measured: on.webSlaRatio,
      off: off.webSlaRatio,
      isMet: atLeast(SLA_MIN),
    },
    {
      what: "promotedFromQuota",
      want: `at most ${periods} check periods, although a quota of ${heldBefore.quota} of each vCPU held it`,
      measured: heldBefore.promotedAfterPeriods,
      off: null,
      isMet: atMost(periods),
    },
    {
      what: "restored",
      want: "every control file and affinity as before, byte for byte, twice",
      measured: restored && heldBefore.restored,
      off: null,
      isMet: isTrue,
    },
  ];
  if (sampleToReadBackMs.p99 !== null) {
    list.push({
      what: "sampleToReadBackMs",
      want: `p99 below ${LATENCY_P99_MAX} ms from sample to read-back`,
      measured: sampleToReadBackMs.p99,
      off: null,
      isMet: (value) => typeof value === "number" && value < LATENCY_P99_MAX,
    });
  }
  return list;
}

export function criteriaOf(measured: Measured): { criteria: Criterion[]; notShown: string[] } {
  const all = tests(measured);
  return {
    criteria: all.map(({ what, want, measured: value, off, isMet }) => ({
      what,
      want,
      measured: value,
      off,
      met: isMet(value),
    })),
    notShown: all.filter(({ off, isMet }) => isMet(off)).map(({ what }) => what),
  };
}
