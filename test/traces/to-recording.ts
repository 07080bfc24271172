/**
 * Writes a trace set as a recording: `node test/traces/to-recording.ts SET DIR [--period SECONDS] [--from SOURCES]`. SET is
 * one of test/data/traces; with `--from`, `azure` or `surf` of the large sets in that directory.
 */
import { parseArgs } from "node:util";
import { presetSettings } from "@kvm-governor/policy";
import { RecordingWriter } from "../../packages/cli/src/recording/writer.ts";
import { BEGIN_MS, samplesOf } from "./simulate.ts";
import { readAzure, readSurf } from "./sources.ts";
import { traceSet } from "./trace-set.ts";
import type { TraceSet } from "./trace-set.ts";

const SAMPLES_MIN = 20;
const MIB = 1024 * 1024;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { period: { type: "string", default: "30" }, from: { type: "string" } },
});
const [name, dir] = positionals;
const periodMs = Number(values.period) * 1000;
if (name === undefined || dir === undefined || !(periodMs > 0))
  throw new Error("usage: node test/traces/to-recording.ts SET DIR [--period SECONDS] [--from SOURCES]");

function chosen(set: string, from: string | undefined): TraceSet {
  if (from === undefined) return traceSet(set);
  if (set === "azure") return readAzure(from);
  if (set === "surf") return readSurf(from, SAMPLES_MIN);
  throw new Error(`no set ${set} in ${from}: there are azure and surf`);
}

let nowMs = BEGIN_MS;
const writer = new RecordingWriter({
  dir,
  header: {
    host: name,
    program: "test/traces/to-recording.ts",
    settings: presetSettings("default", { checkPeriodMs: periodMs }),
    settingsFrom: "defaults",
  },
  limits: { blockMsMax: 600_000, fileBytesMax: 256 * MIB, fileAgeMsMax: Infinity, totalBytesMax: 4096 * MIB },
  sync: "close",
  now: () => nowMs,
});
for (const sample of samplesOf(chosen(name, values.from), periodMs)) {
  nowMs = sample.wallTimeMs;
  writer.addSample(sample);
}
writer.close();
process.stdout.write(`${JSON.stringify({ dir, ...writer.counts })}\n`);
