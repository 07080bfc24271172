/**
 * The paper's experiment: a PC, a web server and a parallel scientific guest as Linux guests in a libvirt of their own, under
 * KVM's default, an expert's static set-up, both presets of the governor, and each side alone. See `--help`.
 */
import os from "node:os";
import { Screen } from "../../packages/cli/src/demo/screen.ts";
import { aimsOf } from "../paper/bench/aims.ts";
import { OptionsError, USAGE, readOptions } from "../paper/bench/options.ts";
import { partOf, writePages } from "../paper/bench/page.ts";
import { runPaper } from "../paper/bench/run.ts";
import { StateError } from "../paper/bench/state.ts";
import { summarize } from "../paper/bench/summary.ts";
import { PaperGuestError } from "../paper/guest/errors.ts";
import { machineOf } from "./machine.ts";

async function main(args: readonly string[]): Promise<void> {
  if (args.includes("--help")) return void process.stdout.write(`${USAGE}\n`);
  const options = readOptions(args);
  const screen = new Screen(process.stderr);
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      screen.say("Ending. The same command goes on after the last arm that was finished.");
      stop.abort();
    });
  }
  const state = await runPaper(options, screen, stop.signal);
  const result = { ...state, machine: machineOf(os) };
  const summary = summarize(state.runs, state.setting.cpus);
  const aims = { paper: aimsOf(summary, "paper"), governor: aimsOf(summary, "governor") };
  const report = { result, summary, aims };
  const files = options.out === undefined ? [] : await writePages(options.out, report);
  const text = options.json ? JSON.stringify({ name: "paper", ...report }) : partOf(report);
  process.stdout.write(`${text}\n`);
  for (const file of files) screen.say(`written: ${file}`);
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  const isAborted = (error as Error).name === "AbortError";
  const isUsage = error instanceof OptionsError || error instanceof StateError;
  const isPlain = isUsage || error instanceof PaperGuestError;
  if (!isAborted) process.stderr.write(`${isPlain ? error.message : String((error as Error).stack)}\n`);
  process.exitCode = isAborted ? 130 : isUsage ? 2 : 1;
}
