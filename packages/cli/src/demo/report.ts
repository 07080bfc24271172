/** What is said at the end: for people, and as one line for programs. */
import type { Criterion } from "./criteria.ts";
import type { Outcome } from "./experiment.ts";
import type { Figures } from "./figures.ts";

/** The line of `--json`. */
export function outcomeJson(outcome: Outcome): string {
  const { on, off, sampleToReadBackMs, restored, heldBefore, ...facts } = outcome;
  return JSON.stringify({
    ...figuresJson(on, (figure) => ({ before: off[figure], after: on[figure] })),
    hostCores: on.hostCores,
    sampleToReadBackMs,
    restored,
    heldBefore,
    off: {
      ...figuresJson(off, (figure) => ({ before: off[figure], after: null })),
      hostCores: off.hostCores,
      sampleToReadBackMs: null,
      restored: null,
    },
    ...facts,
    met: facts.criteria.every(({ met }) => met),
  });
}

type Compared =
  "scientificCores" | "contextSwitchesPerSecond" | "allContextSwitchesPerSecond" | "scientificProgress";

function figuresJson(figures: Figures, compare: (figure: Compared) => object): object {
  return {
    promotedAfterPeriods: figures.promotedAfterPeriods,
    demotedAfterPeriods: figures.demotedAfterPeriods,
    scientificShareOfIdle: figures.scientificShareOfIdle,
    webSlaRatio: figures.webSlaRatio,
    contextSwitchesPerSecond: compare("contextSwitchesPerSecond"),
    allContextSwitchesPerSecond: compare("allContextSwitchesPerSecond"),
    scientificCores: compare("scientificCores"),
    scientificProgress: compare("scientificProgress"),
  };
}

const LABEL_WIDTH = 46;
/** Part of the host that other programs may use before the summary warns of them. */
const DISTURBED_FROM = 0.1;

/** The summary, for somebody who sees this for the first time. */
export function outcomeLines(outcome: Outcome): string[] {
  const { on, off, criteria, notShown, sampleToReadBackMs: latency, heldBefore } = outcome;
  const missed = criteria.filter(({ met }) => !met);
  return [
    "",
    "What kvm-governor changed",
    row("", "without", "with", ""),
    row("Web guest: part of its SLA that it got", percent(off.webSlaRatio), percent(on.webSlaRatio), ""),
    row(
      "Scientific guest: part of the idle CPU it got",
      percent(off.scientificShareOfIdle),
      percent(on.scientificShareOfIdle),
      "",
    ),
    row("  cores that it had", cores(off.scientificCores), cores(on.scientificCores), ""),
    compared("  its context switches a second", off.contextSwitchesPerSecond, on.contextSwitchesPerSecond),
    compared("  its barrier rounds a second", off.scientificProgress, on.scientificProgress),
    compared(
      "All guests: context switches a second",
      off.allContextSwitchesPerSecond,
      on.allContextSwitchesPerSecond,
    ),
    "",
    "What was to be shown",
    ...criteria.map((criterion) => criterionLine(criterion, notShown)),
    ...(latency.p99 === null
      ? [`   --   sampleToReadBackMs: only ${latency.n} samples; percentiles need a longer run`]
      : []),
    "",
    `With the quota of ${heldBefore.quota} set beforehand the scientific guest got ${heldBefore.scientificCores.before} cores, ` +
      `in LIST_sc ${heldBefore.scientificCores.after ?? "(never there)"}.`,
    `While it was busy, everything that is no guest (kvm-governor, this demo, the host) used ${on.hostCores ?? "?"} cores.`,
    "",
    missed.length === 0 ? "All of it was shown." : `NOT shown: ${missed.map(({ what }) => what).join(", ")}.`,
    ...disturbance(outcome),
  ];
}

/** Without the manager next to nothing runs but the guests: what else did is somebody else's work. */
function disturbance({ off, cpus }: Outcome): string[] {
  if (off.hostCores === null || off.hostCores <= DISTURBED_FROM * cpus) return [];
  return [
    `Other programs used ${off.hostCores} of ${cpus} CPUs in the run without kvm-governor: on a quiet machine these figures ` +
      "mean more.",
  ];
}

function criterionLine({ what, want, measured, off, met }: Criterion, notShown: readonly string[]): string {
  const without = off === null ? "" : `, without ${String(off)}`;
  const alsoOff = notShown.includes(what) ? " (also met without: shows nothing here)" : "";
  return `   ${met ? "ok  " : "MISS"} ${what} ${measured === null ? "never" : String(measured)}${without}: ${want}${alsoOff}`;
}

function compared(label: string, before: number | null, after: number | null): string {
  const change =
    before === null || after === null || before === 0
      ? ""
      : `${after >= before ? "+" : ""}${Math.round((after / before - 1) * 100)} %`;
  return row(label, count(before), count(after), change);
}

function row(label: string, before: string, after: string, change: string): string {
  return `   ${label.padEnd(LABEL_WIDTH)} ${before.padStart(10)} ${after.padStart(10)} ${change.padStart(8)}`.trimEnd();
}

const percent = (value: number | null): string => (value === null ? "-" : `${(value * 100).toFixed(0)} %`);
const cores = (value: number | null): string => value?.toFixed(2) ?? "-";
const count = (value: number | null): string => (value === null ? "-" : value.toFixed(0));
