/**
 * CPU use of real machines over time, in a compact form of our own (test/data/traces/README.md):
 *
 *     # what it is, where it comes from, under which licence
 *     guest,vcpus,begin_s,interval_s,percent
 *     vm-12,2,0,300,5;7x3;100x12
 *
 * A row is a guest that is there from `begin_s` on for as long as its series lasts; a value is the part of all its vCPUs
 * that it used during one interval, in whole percent; `7x3` stands for `7;7;7`.
 */
import { readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";

export interface TraceGuest {
  name: string;
  vcpus: number;
  beginS: number;
  intervalS: number;
  /** Parts of its vCPUs, 0 to 1, one an interval. */
  use: readonly number[];
}

export interface TraceSet {
  name: string;
  guests: readonly TraceGuest[];
}

/** A file that is not in this form; the message says which line. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

const HEAD = "guest,vcpus,begin_s,interval_s,percent";
const VALUE = /^(\d{1,3})(?:x(\d{1,6}))?$/;

/** A set of the repository. @param name `azure-24h` or `surf-24h` */
export function traceSet(name: string): TraceSet {
  const file = new URL(`../data/traces/${name}.csv.gz`, import.meta.url);
  return parseTraceSet(name, gunzipSync(readFileSync(file)).toString("utf8"));
}

/** @throws {TraceError} naming the line */
export function parseTraceSet(name: string, text: string): TraceSet {
  const lines = text.split("\n").map((line, at) => ({ line, number: at + 1 }));
  const rows = lines.filter(({ line }) => line !== "" && !line.startsWith("#"));
  if (rows.shift()?.line !== HEAD) throw new TraceError(`${name}: its first row is not ${HEAD}`);
  return { name, guests: rows.map(({ line, number }) => parseRow(line, `${name}, line ${number}`)) };
}

function parseRow(line: string, where: string): TraceGuest {
  const [name = "", vcpus, beginS, intervalS, series = ""] = line.split(",");
  const use = series.split(";").flatMap((text) => {
    const found = VALUE.exec(text);
    if (found === null || Number(found[1]) > 100)
      throw new TraceError(`${where}: ${JSON.stringify(text)} is no percentage`);
    return Array.from({ length: Number(found[2] ?? 1) }, () => Number(found[1]) / 100);
  });
  const guest = { name, vcpus: Number(vcpus), beginS: Number(beginS), intervalS: Number(intervalS), use };
  const isSound = guest.vcpus >= 1 && guest.beginS >= 0 && guest.intervalS > 0;
  if (!isSound || name === "") throw new TraceError(`${where}: is no guest`);
  return guest;
}

/** The text of a set. @param about lines that say what it is */
export function formatTraceSet({ guests }: Omit<TraceSet, "name">, about: readonly string[]): string {
  const rows = guests.map(({ name, vcpus, beginS, intervalS, use }) =>
    [name, vcpus, beginS, intervalS, runLengths(use)].join(","),
  );
  return [...about.map((line) => `# ${line}`), HEAD, ...rows, ""].join("\n");
}

function runLengths(use: readonly number[]): string {
  const runs: { percent: number; times: number }[] = [];
  for (const part of use) {
    const percent = Math.min(100, Math.max(0, Math.round(part * 100)));
    const last = runs.at(-1);
    if (last?.percent === percent) last.times += 1;
    else runs.push({ percent, times: 1 });
  }
  return runs.map(({ percent, times }) => (times === 1 ? `${percent}` : `${percent}x${times}`)).join(";");
}
