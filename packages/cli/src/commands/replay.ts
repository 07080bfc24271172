/** `kvmgov replay FILE...`: what a policy would have decided on recorded samples. Needs no server and no root. */
import { statSync } from "node:fs";
import { presetSettings } from "@kvm-governor/policy";
import { RecordingError, readBeginning } from "../recording/reader.ts";
import { recordingsIn } from "../recording/writer.ts";
import { visible } from "../supervisor/narrator.ts";
import { readReplayPolicy } from "../replay/policy.ts";
import type { ReplayPolicy } from "../replay/policy.ts";
import type { Step } from "../replay/replayer.ts";
import { replay } from "../replay/run.ts";
import type { Arm, ReplayResult } from "../replay/run.ts";
import { armSummary, guestSummary } from "../replay/summary.ts";
import { eventLine, headLines, planLines, resultLines } from "../replay/text.ts";

export interface ReplayFlags {
  policy?: string;
  compare?: string;
  preset?: "default" | "paper";
  from?: string;
  to?: string;
  plans?: boolean;
  quiet?: boolean;
  json?: boolean;
}

/** What was asked for cannot be understood. */
export class ReplayArgumentError extends Error {
  override readonly name = "ReplayArgumentError";
}

type Say = (line: string) => void;

/** Lines are gathered and written in pieces: a week has many of them. */
const PIECE_CHARS = 64 * 1024;

export async function replayCommand(paths: readonly string[], flags: ReplayFlags): Promise<number> {
  let waiting = "";
  const flush = (): void => {
    if (waiting !== "") process.stdout.write(waiting);
    waiting = "";
  };
  const code = replayAll(paths, flags, (line) => {
    waiting += `${line}\n`;
    if (waiting.length >= PIECE_CHARS) flush();
  });
  flush();
  return Promise.resolve(code);
}

/**
 * Replays the recordings, host by host, in the order of their beginning.
 * @param paths files, or directories of them
 * @returns exit code: 1 where something in them could not be read
 * @throws {RecordingError | ConfigError | ReplayArgumentError}
 */
export function replayAll(paths: readonly string[], flags: ReplayFlags, say: Say): number {
  const hosts = byHost(filesOf(paths));
  const given = [flags.policy, flags.compare].filter((file) => file !== undefined).map(readReplayPolicy);
  let problems = 0;
  for (const [host, recordings] of hosts) {
    const [first] = recordings;
    if (first === undefined) continue;
    const policies = flags.policy === undefined ? [recordedPolicy(first, flags), ...given] : given;
    const files = recordings.map(({ file }) => file);
    const times = {
      ...(flags.from === undefined ? {} : { fromMs: timeOf("--from", flags.from, first.beginMs) }),
      ...(flags.to === undefined ? {} : { toMs: timeOf("--to", flags.to, first.beginMs) }),
    };
    const tell = flags.json === true ? jsonTeller(host, flags, say) : textTeller(policies, flags, say);
    if (flags.json !== true) for (const line of headLines(host, files.length, policies)) say(visible(line));
    const result = replay({ host, files, policies, ...times, onStep: tell });
    if (flags.json === true) tellJson(result, say);
    else for (const line of resultLines(result)) say(visible(line));
    problems += result.problems.filter(({ kind }) => kind !== "torn").length;
  }
  return problems > 0 ? 1 : 0;
}

interface Recording {
  file: string;
  host: string;
  beginMs: number;
  settings: ReplayPolicy["settings"];
}

function filesOf(paths: readonly string[]): string[] {
  return paths.flatMap((path) => {
    let isDirectory: boolean;
    try {
      isDirectory = statSync(path).isDirectory();
    } catch (cause) {
      throw new RecordingError(`${path}: ${(cause as Error).message}`, { cause });
    }
    if (!isDirectory) return [path];
    const found = recordingsIn(path);
    if (found.length === 0) throw new RecordingError(`${path}: there is no recording in it`);
    return found;
  });
}

function byHost(files: readonly string[]): [host: string, recordings: Recording[]][] {
  const hosts = new Map<string, Recording[]>();
  for (const file of files) {
    const { header, beginMs } = readBeginning(file);
    const { host, settings } = header;
    const recordings = hosts.get(host) ?? [];
    recordings.push({ file, host, beginMs, settings });
    hosts.set(host, recordings);
  }
  return [...hosts]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([host, recordings]) => [host, recordings.toSorted((a, b) => a.beginMs - b.beginMs)]);
}

/** What the host was governed by when it was recorded; with `--preset` those settings under the other preset. */
function recordedPolicy({ settings }: Recording, { preset }: ReplayFlags): ReplayPolicy {
  return preset === undefined
    ? { name: "as recorded", settings, rules: [] }
    : { name: `as recorded, preset ${preset}`, settings: presetSettings(preset, settings), rules: [] };
}

const UNIT_MS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** A date (UTC unless it says otherwise), or a length from the beginning of the recording: `90m`, `2h`, `1d`. */
function timeOf(option: string, text: string, beginMs: number): number {
  const after = /^\+?(\d{1,9})([smhd])$/.exec(text);
  if (after !== null) return beginMs + Number(after[1]) * UNIT_MS[after[2] as keyof typeof UNIT_MS];
  const isBare = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d(\.\d+)?)?$/.test(text);
  const at = Date.parse(isBare ? `${text.replace(" ", "T")}Z` : text);
  if (!Number.isNaN(at)) return at;
  throw new ReplayArgumentError(
    `${option} ${JSON.stringify(text)}: neither a date nor a length from the beginning (90m, 2h)`,
  );
}

type Teller = (arm: Arm, step: Step) => void;

function textTeller(policies: readonly ReplayPolicy[], flags: ReplayFlags, say: Say): Teller {
  if (flags.quiet === true) return () => undefined;
  return ({ policy }, { events, plan }) => {
    const arm = policies.length > 1 ? `${policy.name}: ` : "";
    for (const event of events) say(visible(`${arm}${eventLine(event)}`));
    if (flags.plans === true && plan !== undefined)
      for (const line of planLines(plan)) say(visible(`${arm}${line}`));
  };
}

function jsonTeller(host: string, flags: ReplayFlags, say: Say): Teller {
  if (flags.quiet === true) return () => undefined;
  return ({ policy }, { events, plan }) => {
    for (const { kind, ...event } of events)
      say(JSON.stringify({ event: kind, host, policy: policy.name, ...event }));
    if (flags.plans === true && plan !== undefined)
      say(JSON.stringify({ event: "plan", host, policy: policy.name, ...plan }));
  };
}

function tellJson({ host, arms, differences, problems }: ReplayResult, say: Say): void {
  for (const problem of problems) say(JSON.stringify({ event: "problem", host, ...problem }));
  for (const arm of arms) {
    const guests = [...arm.replayer.tallies.values()].map(guestSummary);
    const figures = arm.replayer.figures;
    say(JSON.stringify({ event: "summary", host, ...armSummary(arm), figures, guestFigures: guests }));
  }
  if (arms.length > 1) say(JSON.stringify({ event: "comparison", host, differences }));
}
