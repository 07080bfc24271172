/**
 * Reads the sets that ours are made from, as far as their form goes: gzipped CSV, a series in the last column, percent of
 * all CPUs of a machine, separated by semicolons.
 */
import { readFileSync } from "node:fs";
import path from "node:path";
import { gunzipSync } from "node:zlib";
import type { TraceGuest, TraceSet } from "./trace-set.ts";

export const SOURCES = {
  azure: "azure-v1-100vms-5min.csv.gz",
  surf: "surf-lisa-hpc-jobs-30s.csv.gz",
} as const;

const AZURE_S = 300;
const SURF_S = 30;
/** Neither source says how many vCPUs matter: their percentages are of all of them, and ours as well. */
const AZURE_VCPUS = 2;
const SURF_VCPUS = 4;

/** All VMs of the Azure set: four weeks of averages over five minutes. */
export function readAzure(dir: string): TraceSet {
  const guests = rowsOf(path.join(dir, SOURCES.azure))
    .filter(([, stat]) => stat === "avg")
    .map(([vm = "", , series = ""]) => guestOf(`vm-${vm}`, AZURE_VCPUS, 0, AZURE_S, series));
  return { name: "azure", guests };
}

/** All jobs of the SURF set that ran for at least `samplesMin` intervals, from the moment they were submitted. */
export function readSurf(dir: string, samplesMin: number): TraceSet {
  const rows = rowsOf(path.join(dir, SOURCES.surf)).filter((row) => Number(row[4]) >= samplesMin);
  const firstMs = rows.reduce((least, row) => Math.min(least, Number(row[1])), Infinity);
  const guests = rows.map(([job = "", submitMs, , , , series = ""]) =>
    guestOf(`job-${job}`, SURF_VCPUS, beginOf(Number(submitMs) - firstMs), SURF_S, series),
  );
  return { name: "surf", guests };
}

/** On the grid of the intervals. */
const beginOf = (ms: number): number => Math.round(ms / 1000 / SURF_S) * SURF_S;

function guestOf(name: string, vcpus: number, beginS: number, intervalS: number, series: string): TraceGuest {
  const use = series
    .split(";")
    .filter((text) => text !== "")
    .map((text) => Number(text) / 100);
  return { name, vcpus, beginS, intervalS, use };
}

function rowsOf(file: string): string[][] {
  const [, ...lines] = gunzipSync(readFileSync(file)).toString("utf8").trimEnd().split("\n");
  return lines.map((line) => line.split(","));
}
