/** What one frame of `kvmgov top` shows, line by line. */
import { visible } from "../supervisor/narrator.ts";
import { tableLines } from "../text/table.ts";
import type { Column } from "../text/table.ts";
import { lengthOf, listName, percent } from "../text/words.ts";
import type { Look } from "./look.ts";
import { sorted, sorts } from "./rows.ts";
import type { SortKey, TopRow } from "./rows.ts";

const figure = (value: number | null, digits: number): string =>
  value === null ? "-" : value.toFixed(digits);

const columns: readonly Column<TopRow>[] = [
  { title: "GUEST", cell: ({ name }) => short(visible(name), 24) },
  { title: "LIST", cell: (row) => listName[row.class] },
  { title: "COUNT", cell: ({ count }) => String(count), right: true },
  { title: "VCPUS", cell: ({ vcpus }) => figure(vcpus, 0), right: true },
  { title: "USED", cell: ({ usage }) => percent(usage), right: true },
  { title: "WAITED", cell: ({ delay }) => percent(delay), right: true },
  { title: "CORES", cell: ({ cores }) => figure(cores, 2), right: true },
  { title: "MAY", cell: ({ entitlementCores }) => figure(entitlementCores, 2), right: true },
  { title: "SWITCH/S", cell: ({ switchesPerSecond }) => figure(switchesPerSecond, 0), right: true },
  { title: "QUOTA", cell: ({ bandwidth }) => short(bandwidth, 12), right: true },
  { title: "WEIGHT", cell: ({ weight }) => weight, right: true },
  { title: "CPUS", cell: ({ cpus }) => short(cpus, 16) },
];
const hostColumn: Column<TopRow> = { title: "HOST", cell: ({ host }) => short(visible(host), 16) };

export interface FrameOptions {
  sort: SortKey;
  isReversed: boolean;
  nowMs: number;
}

export function frameLines(
  { hosts, problems }: Look,
  rows: readonly TopRow[],
  options: FrameOptions,
): string[] {
  const count = (kind: TopRow["class"]): number => rows.filter((row) => row.class === kind).length;
  const cpus = hosts.reduce((sum, { sample }) => sum + (sample?.cpus.length ?? 0), 0);
  const available = hosts.reduce((sum, { report }) => sum + (report?.availableCores ?? 0), 0);
  const lines = [
    `kvm-governor  ${hosts.length} host${hosts.length === 1 ? "" : "s"}, ${cpus} CPUs, ${available.toFixed(2)} cores for scientific guests  ` +
      `LIST_se ${count("service")}, LIST_sc ${count("scientific")}, exempt ${count("exempt")}`,
    ...hosts.flatMap((host) => alarms(host, options.nowMs)),
    ...problems.map((problem) => visible(`! ${problem}`)),
    "",
  ];
  if (rows.length === 0) return [...lines, "No guests."];
  const shown = hosts.length > 1 ? [hostColumn, ...columns] : columns;
  return [...lines, ...tableLines(shown, sorted(rows, options.sort, options.isReversed))];
}

export const keysLine = (sort: SortKey, isReversed: boolean): string =>
  `q quit, r reverse, sort by: ${Object.entries(sorts)
    .map(([key, { name }]) => `${key} ${name}${key === sort ? (isReversed ? " ▲" : " ▼") : ""}`)
    .join(", ")}`;

/** A host is silent when it missed this many periods. */
const SILENT_PERIODS = 5;

function alarms(
  { id, name, sample, decidedAtMs, applied, plan, report, storeProblem }: Look["hosts"][number],
  nowMs: number,
): string[] {
  const lines: string[] = [];
  const silentMs = decidedAtMs === null ? undefined : nowMs - decidedAtMs;
  if (silentMs === undefined) lines.push("no sample that a running classifier knows of");
  else if (silentMs > SILENT_PERIODS * (sample?.periodMs ?? 1000))
    lines.push(`no sample for ${lengthOf(silentMs)}`);
  if (report?.oversubscribed === true)
    lines.push(`SLAs exceed the host: scaled to ${percent(report.slaScale)}`);
  if (applied?.switchFired !== undefined) lines.push(`guests are at their baseline: ${applied.switchFired}`);
  else if (applied?.dryRun === true) lines.push("dry run: nothing is written");
  if (plan !== null && applied === null) lines.push("no actuator has reported");
  if ((applied?.errors ?? 0) > 0) lines.push(`${applied?.errors} writes fail`);
  if ((sample?.unreadable.length ?? 0) > 0) lines.push(`${sample?.unreadable.length} guests cannot be read`);
  if (storeProblem !== null) lines.push(`Redis: ${storeProblem}`);
  return lines.map((line) => visible(`! ${name ?? id}: ${line}`));
}

const short = (text: string, most: number): string =>
  text.length <= most ? text : `${text.slice(0, most - 1)}…`;
