/**
 * Makes the sets of test/data/traces from the large ones: `node test/traces/make.ts DIR`, DIR being where those are. The
 * same input gives the same files.
 */
import { writeFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { readAzure, readSurf } from "./sources.ts";
import { formatTraceSet } from "./trace-set.ts";
import type { TraceGuest } from "./trace-set.ts";

const DAY_S = 86_400;
/** A weekday in the middle of the four weeks; chosen before anything was measured on it. */
const AZURE_DAY = 8;
const LONG_JOBS = 40;
const SHORT_JOBS = 20;
const SHORT_SAMPLES_MIN = 240;

const [dir] = process.argv.slice(2);
if (dir === undefined) throw new Error("usage: node test/traces/make.ts DIR");

/** A day of a guest's series, from second `fromS` of it on. */
function dayOf(guest: TraceGuest, fromS: number, beginS: number): TraceGuest {
  const first = fromS / guest.intervalS;
  const most = (DAY_S - beginS) / guest.intervalS;
  return { ...guest, beginS, use: guest.use.slice(first, first + most) };
}

/** So many of them, evenly over the list. */
function some<T>(all: readonly T[], count: number): T[] {
  return Array.from({ length: count }, (_, n) => all[Math.floor((n * all.length) / count)]).filter(
    (each) => each !== undefined,
  );
}

function save(name: string, guests: readonly TraceGuest[], about: readonly string[]): void {
  const file = new URL(`../data/traces/${name}.csv.gz`, import.meta.url);
  const bytes = gzipSync(formatTraceSet({ guests }, about), { level: 9 });
  writeFileSync(file, bytes);
  process.stdout.write(`${name}: ${guests.length} guests, ${bytes.length} bytes\n`);
}

const azure = readAzure(dir).guests.map((guest) => dayOf(guest, AZURE_DAY * DAY_S, 0));
save("azure-24h", azure, [
  "CPU use of 100 virtual machines over 24 hours, averages over 5 minutes.",
  "From the Azure Public Dataset V1 (Microsoft), CC-BY 4.0; Cortez et al., Resource Central, SOSP 2017.",
  "Changed: one day of four weeks, rounded to whole percent.",
]);

const isLong = ({ use, intervalS }: TraceGuest): boolean => use.length * intervalS >= DAY_S;
const jobs = readSurf(dir, SHORT_SAMPLES_MIN).guests.toSorted((a, b) => (a.name < b.name ? -1 : 1));
const long = some(jobs.filter(isLong), LONG_JOBS).map((guest) => dayOf(guest, 0, 0));
const short = some(
  jobs.filter((guest) => !isLong(guest)),
  SHORT_JOBS,
).map((guest) => dayOf(guest, 0, guest.beginS % DAY_S));
save(
  "surf-24h",
  [...long, ...short],
  [
    "CPU use of 60 jobs of an HPC cluster, averages over 30 seconds: 40 of a day or more, 20 shorter ones that come and go.",
    "From github.com/atlarge-research/opendc (MIT); SURF's Lisa cluster, October 2022, as far as names tell.",
    "Changed: the first day of each job, rounded to whole percent; begin within the day as submitted.",
  ],
);
