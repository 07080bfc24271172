/** A replay in words and tables. Times are UTC: the same recording prints the same everywhere. */
import { coolDownUs, downThreshold } from "@kvm-governor/policy";
import type { GuestPlan } from "@kvm-governor/policy";
import { tableLines } from "../text/table.ts";
import { heldText, lengthOf, listName, percent } from "../text/words.ts";
import { visible } from "../supervisor/narrator.ts";
import type { RecordingProblem } from "../recording/reader.ts";
import type { ReplayPolicy } from "./policy.ts";
import type { HostFigures, ListEvent, PlanEvent } from "./replayer.ts";
import type { Arm, ReplayResult } from "./run.ts";
import { armSummary, guestSummary } from "./summary.ts";
import type { GuestSummary } from "./summary.ts";

/** `2026-11-20 08:54:40Z` */
export const utc = (ms: number): string => `${new Date(ms).toISOString().slice(0, 19).replace("T", " ")}Z`;

export function eventLine({
  atMs,
  kind,
  name,
  class: list,
  from,
  reason,
  service,
  scientific,
}: ListEvent): string {
  const sizes = `[LIST_se ${service}, LIST_sc ${scientific}]`;
  if (kind === "left") return `${utc(atMs)} ${sizes} ${name} left ${listName[list]}: ${reason}`;
  if (kind === "arrived") return `${utc(atMs)} ${sizes} ${name} arrived: ${reason}`;
  const declared = from === undefined ? "" : `${listName[from]} to `;
  const said = reason.startsWith(declared) ? reason.slice(declared.length) : reason;
  return `${utc(atMs)} ${sizes} ${name} moved: ${declared}${said}`;
}

export function planLines({ atMs, generation, guests }: PlanEvent): string[] {
  const heads = `${utc(atMs)} plan ${generation}`;
  return [heads, ...guests.map((guest: GuestPlan) => `    ${guest.name}: ${heldText(guest)}`)];
}

export function policyText({ name, settings }: ReplayPolicy): string {
  const { preset, alpha, beta } = settings;
  const down = downThreshold(settings);
  const cool = coolDownUs(settings) / 1000;
  return (
    `${name}: preset ${preset}, alpha ${alpha}${down === alpha ? "" : `, alphaDown ${down}`}, beta ${beta}` +
    (cool === 0 ? ", no cool-down" : `, cool-down ${lengthOf(cool)}`)
  );
}

/** What stands before the events. */
export function headLines(host: string, files: number, policies: readonly ReplayPolicy[]): string[] {
  return [
    `Host ${host}, ${files} ${files === 1 ? "file" : "files"}`,
    ...policies.map((policy) => `Policy ${policyText(policy)}`),
    "",
  ];
}

/** What stands after them. */
export function resultLines(result: ReplayResult): string[] {
  const [first] = result.arms;
  if (first === undefined) return [];
  return [
    "",
    ...figureLines(first.replayer.figures),
    ...result.problems.map(problemLine),
    ...result.arms.flatMap((arm) => ["", ...armLines(arm)]),
    ...differenceLines(result),
    "",
    ...LIMITS,
  ];
}

function figureLines(figures: HostFigures): string[] {
  const { samples, fromMs, toMs, gaps, gapMs, repeated, boots, cpus } = figures;
  if (fromMs === undefined || toMs === undefined) return ["No samples in that time."];
  const notes = [
    ...(gaps > 0
      ? [`${gaps} ${gaps === 1 ? "gap" : "gaps"}, ${lengthOf(gapMs)} in all, without samples`]
      : []),
    ...(repeated > 0 ? [`${repeated} repeated samples were left out`] : []),
    ...(boots > 1 ? [`the host booted ${boots - 1} times`] : []),
  ];
  return [
    `${samples} samples of ${cpus} CPUs, ${utc(fromMs)} to ${utc(toMs)} (${lengthOf(toMs - fromMs)})`,
    ...notes,
  ];
}

export const problemLine = ({ file, kind, text }: RecordingProblem): string => `${kind}: ${file}: ${text}`;

function armLines(arm: Arm): string[] {
  const rows = [...arm.replayer.tallies.values()].map(guestSummary).toSorted(byName);
  const all = armSummary(arm);
  return [
    `Under ${policyText(arm.policy)}`,
    ...tableLines(guestColumns, rows).map((line) => `  ${line}`),
    `  in all: ${all.moves} moves, ${all.flaps} flaps, ${all.unexcusedMoves} moves without a change of load, ` +
      `${all.plans} plans; ${all.detected} spells found, median delay ${delayText(all.detectionMedianSeconds)}, ` +
      `${all.missed} over before they were`,
  ];
}

const byName = (a: GuestSummary, b: GuestSummary): number =>
  a.name < b.name ? -1 : a.name > b.name ? 1 : a.uuid < b.uuid ? -1 : 1;

const delayText = (seconds: number | null): string => (seconds === null ? "-" : lengthOf(seconds * 1000));

const length = (seconds: number): string => (seconds === 0 ? "" : lengthOf(seconds * 1000));

const guestColumns = [
  { title: "GUEST", cell: ({ name }: GuestSummary) => visible(name) },
  { title: "LIST_se", cell: (row: GuestSummary) => length(row.serviceSeconds), right: true },
  { title: "LIST_sc", cell: (row: GuestSummary) => length(row.scientificSeconds), right: true },
  { title: "EXEMPT", cell: (row: GuestSummary) => length(row.exemptSeconds), right: true },
  { title: "MOVES", cell: ({ moves }: GuestSummary) => String(moves), right: true },
  { title: "FLAPS", cell: ({ flaps }: GuestSummary) => String(flaps), right: true },
  { title: "UNEXCUSED", cell: (row: GuestSummary) => String(row.unexcusedMoves), right: true },
  { title: "LOAD CHANGED", cell: (row: GuestSummary) => String(row.loadChanges), right: true },
  {
    title: "FOUND AFTER",
    cell: (row: GuestSummary) =>
      row.detected + row.missed === 0
        ? ""
        : `${delayText(row.detectionMedianSeconds)} (${row.detected} of ${row.detected + row.missed})`,
    right: true,
  },
  { title: "WANTED", cell: (row: GuestSummary) => percent(row.wantedPart), right: true },
  { title: "MAY HAVE", cell: (row: GuestSummary) => row.mayHaveCores.toFixed(2), right: true },
  { title: "OWN CPUS", cell: (row: GuestSummary) => length(row.ownCpusSeconds), right: true },
];

function differenceLines({ arms, differences }: ReplayResult): string[] {
  if (arms.length < 2) return [];
  if (differences.length === 0) return ["", "Both policies had every guest in the same list all the time."];
  const named = (uuid: string): string => arms[0]?.replayer.tallies.get(uuid)?.name ?? uuid;
  const rows = differences
    .map(({ uuid, differsMs }) => ({ name: named(uuid), uuid, differsMs }))
    .toSorted((a, b) => b.differsMs - a.differsMs || (a.uuid < b.uuid ? -1 : 1));
  return [
    "",
    "In different lists under the two policies:",
    ...rows.map(({ name, differsMs }) => `  ${name}: ${lengthOf(differsMs)}`),
  ];
}

const LIMITS = [
  "What a replay cannot know: the guests ran under whatever held them when they were recorded. Under another policy they",
  "would have run and waited otherwise, and the samples would differ. Lists and moves are what the policy would have",
  "decided on these samples; MAY HAVE is what it would have let a guest have, not what the guest would have used.",
];
