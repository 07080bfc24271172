/**
 * Recorded CPU usage as demand. Files are gzipped CSV, one series a row, the last column values in percent of all vCPUs with `;`
 * between them: `surf-lisa-hpc-jobs-30s.csv.gz` (HPC jobs) and `azure-v1-100vms-5min.csv.gz` (VMs).
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import type { Series } from "./demand.ts";

/** The traces cannot be used; the message names file and row. */
export class TraceError extends Error {
  override readonly name = "TraceError";
}

interface TraceFile {
  file: string;
  intervalMs: number;
  shape: Series["shape"];
}

const FILES: readonly TraceFile[] = [
  { file: "surf-lisa-hpc-jobs-30s.csv.gz", intervalMs: 30_000, shape: "full-vcpus" },
  { file: "azure-v1-100vms-5min.csv.gz", intervalMs: 300_000, shape: "even" },
];
/** Shorter series say little. */
const VALUES_MIN = 20;
/** Of each file: enough that hosts differ, and quick to read. */
const SERIES_MAX = 400;

/** @throws {TraceError} no directory, no file of the two, or a row that is none */
export function readTraces(dir: string): Series[] {
  const series = FILES.flatMap((trace) => readTrace(dir, trace));
  if (series.length === 0)
    throw new TraceError(`traces: ${dir} has none of ${FILES.map(({ file }) => file).join(", ")}`);
  return series;
}

function readTrace(dir: string, { file, intervalMs, shape }: TraceFile): Series[] {
  let text: string;
  try {
    text = gunzipSync(readFileSync(path.join(dir, file))).toString("latin1");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new TraceError(`traces: ${file}: ${(cause as Error).message}`, { cause });
  }
  const found: Series[] = [];
  for (const [at, row] of text.trimEnd().split("\n").slice(1).entries()) {
    const series = parseRow(row, `${file}, row ${at + 2}`);
    if (series.length >= VALUES_MIN)
      found.push({ name: `${file}:${at + 2}`, intervalMs, values: series, shape });
    if (found.length === SERIES_MAX) break;
  }
  return found;
}

/** @param where for the error */
export function parseRow(row: string, where: string): Float32Array {
  const values = Float32Array.from(
    row.slice(row.lastIndexOf(",") + 1).split(";"),
    (text) => Number(text) / 100,
  );
  const wrong = values.findIndex((value) => !(value >= 0));
  if (wrong !== -1) throw new TraceError(`traces: ${where}: value ${wrong + 1} is no percentage`);
  return values.map((value) => Math.min(1, value));
}
