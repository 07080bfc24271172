/**
 * Runs a benchmark: its arms in turns, so that what disturbs the machine disturbs all of them alike; warmed up, repeated,
 * reported as medians with spread. `--json` prints one line, else a table for people.
 *
 *     await runBench({
 *       name: "decide",
 *       rounds: 20,
 *       arms: [{ name: "50 guests", measure: () => ({ ticks_per_s: … }) }],
 *       aims: (result) => [atLeast("ticks a second at 50 guests", 10_000, result("50 guests", "ticks_per_s").median)],
 *     });
 */
import os from "node:os";
import { machineOf, type Machine } from "./machine.ts";
import { spreadOf, type Spread } from "./statistics.ts";

/** Figures of one round of one arm; the unit stands last in each name (`wall_ms`, `rss_mb`). */
export type Figures = Record<string, number>;

export interface Arm {
  name: string;
  /** Runs by itself after the others, not in turns with them: its set-up and theirs would disturb each other. */
  isAlone?: boolean;
  /** In place of the benchmark's own number, for an arm that is alone. */
  rounds?: number;
  /** Runs once before the first round. */
  setUp?: () => void | Promise<void>;
  /** One round: does the work and returns what it measured. */
  measure: () => Figures | Promise<Figures>;
  /** Runs once after the last round, also when a round failed. */
  tearDown?: () => void | Promise<void>;
}

export interface Aim {
  what: string;
  /** In words: `< 5`. */
  aim: string;
  measured: number;
  met: boolean;
}

export interface ArmResult {
  arm: string;
  figures: Record<string, Spread>;
}

/** Looks up one figure of one arm. @throws {RangeError} there is none */
export type Lookup = (arm: string, figure: string) => Spread;

export interface BenchSpec {
  name: string;
  arms: readonly Arm[];
  /** Rounds that count, after `warmUpRounds` that do not. */
  rounds?: number;
  warmUpRounds?: number;
  /** What was aimed at, against what came out. A missed aim is reported as missed; it does not fail the run. */
  aims?: (lookup: Lookup) => Aim[];
  /** One JSON line in place of the table; by default where `--json` is an argument. */
  json?: boolean;
  /** Where the report goes, line by line. */
  write?: (line: string) => void;
}

export interface BenchReport {
  name: string;
  machine: Machine;
  results: ArmResult[];
  aims: Aim[];
}

export async function runBench(spec: BenchSpec): Promise<BenchReport> {
  const { arms, rounds = 10, warmUpRounds = 2 } = spec;
  const series: SeriesByArm = new Map(arms.map((arm) => [arm.name, new Map<string, number[]>()]));
  await runTogether(
    arms.filter((arm) => arm.isAlone !== true),
    { rounds, warmUpRounds },
    series,
  );
  for (const arm of arms.filter((each) => each.isAlone === true)) {
    await runTogether([arm], { rounds: arm.rounds ?? rounds, warmUpRounds }, series);
  }
  const results = arms.map((arm) => resultOf(arm.name, series.get(arm.name)));
  const report = {
    name: spec.name,
    machine: machineOf(os),
    results,
    aims: spec.aims?.(lookupIn(results)) ?? [],
  };
  const write = spec.write ?? ((line: string) => process.stdout.write(`${line}\n`));
  if (spec.json ?? process.argv.includes("--json")) write(JSON.stringify(report));
  else for (const line of tableOf(report)) write(line);
  return report;
}

type SeriesByArm = ReadonlyMap<string, Map<string, number[]>>;

async function runTogether(
  arms: readonly Arm[],
  { rounds, warmUpRounds }: { rounds: number; warmUpRounds: number },
  series: SeriesByArm,
): Promise<void> {
  try {
    for (const arm of arms) await arm.setUp?.();
    for (let round = -warmUpRounds; round < rounds; round++) {
      for (const arm of inTurns(arms, round)) {
        const figures = await arm.measure();
        if (round >= 0) record(series.get(arm.name), figures);
      }
    }
  } finally {
    for (const arm of arms) await arm.tearDown?.();
  }
}

/** An aim that wants less than `limit`. */
export function below(what: string, limit: number, measured: number): Aim {
  return { what, aim: `< ${limit}`, measured: round(measured), met: measured < limit };
}

/** An aim that wants `limit` or more. */
export function atLeast(what: string, limit: number, measured: number): Aim {
  return { what, aim: `>= ${limit}`, measured: round(measured), met: measured >= limit };
}

/** Each round begins with another arm: no arm always follows the same neighbour's caches. */
function inTurns(arms: readonly Arm[], round: number): Arm[] {
  const first = arms.length === 0 ? 0 : Math.abs(round) % arms.length;
  return [...arms.slice(first), ...arms.slice(0, first)];
}

function record(series: Map<string, number[]> | undefined, figures: Figures): void {
  for (const [name, value] of Object.entries(figures)) {
    if (!Number.isFinite(value)) throw new RangeError(`figure ${name} is ${value}`);
    const values = series?.get(name);
    if (values === undefined) series?.set(name, [value]);
    else values.push(value);
  }
}

function resultOf(arm: string, series: Map<string, number[]> | undefined): ArmResult {
  const figures = [...(series ?? [])].map(([name, values]) => [name, rounded(spreadOf(values))] as const);
  return { arm, figures: Object.fromEntries(figures) };
}

function rounded({ n, ...spread }: Spread): Spread {
  const figures = Object.entries(spread).map(([name, value]) => [name, round(value)]);
  return { ...(Object.fromEntries(figures) as Omit<Spread, "n">), n };
}

/** Four significant digits: more would claim a precision that nothing here has. */
function round(value: number): number {
  return Number(value.toPrecision(4));
}

function lookupIn(results: readonly ArmResult[]): Lookup {
  return (arm, figure) => {
    const spread = results.find((result) => result.arm === arm)?.figures[figure];
    if (spread === undefined) throw new RangeError(`no figure ${figure} of arm ${arm}`);
    return spread;
  };
}

function tableOf({ name, machine, results, aims }: BenchReport): string[] {
  const { cpu, cpus, memoryGb, kernel, node } = machine;
  const head = `${name} on ${cpus} x ${cpu}, ${memoryGb} GB, Linux ${kernel}, Node ${node}`;
  const rows = results.flatMap(({ arm, figures }) =>
    Object.entries(figures).map(([figure, s]) =>
      [arm, figure, s.median, s.p10, s.p90, s.p99, s.n].map(String),
    ),
  );
  const verdicts = aims.map((aim) => [aim.met ? "met" : "MISSED", aim.what, aim.aim, String(aim.measured)]);
  return [
    head,
    "",
    ...columns([["arm", "figure", "median", "p10", "p90", "p99", "n"], ...rows]),
    ...(verdicts.length === 0
      ? []
      : ["", ...columns([["aim", "what", "aimed at", "measured"], ...verdicts])]),
  ];
}

function columns(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, at) => Math.max(...rows.map((row) => (row[at] ?? "").length)));
  return rows.map((row) =>
    row
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}
