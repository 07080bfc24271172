/**
 * The paper's experiment: a PC, a web server and a parallel scientific guest as Linux guests in a libvirt of their own, under
 * KVM's default, an expert's static set-up, both presets of the governor, and each side alone. See `--help`.
 */
import os from "node:os";
import { aimsOf } from "../paper/bench/aims.ts";
import { enter } from "../paper/bench/enter.ts";
import { USAGE, readOptions } from "../paper/bench/options.ts";
import { partOf, writePages } from "../paper/bench/page.ts";
import { runPaper } from "../paper/bench/run.ts";
import { sizePart, writeSizePage } from "../paper/bench/size-page.ts";
import { summarize } from "../paper/bench/summary.ts";
import { machineOf } from "./machine.ts";

const onStop = "The same command goes on after the last arm that was finished.";

await enter({ usage: USAGE, onStop }, async (args, screen, signal) => {
  const options = readOptions(args);
  const state = await runPaper(options, screen, signal);
  const result = { ...state, machine: machineOf(os) };
  const summary = summarize(state.runs, state.setting.cpus);
  const aims = { paper: aimsOf(summary, "paper"), governor: aimsOf(summary, "governor") };
  const report = { result, summary, aims };
  const isUsual = options.size === "usual";
  const write = (dir: string): Promise<string[]> =>
    isUsual ? writePages(dir, report) : writeSizePage(dir, options.size, report);
  const files = options.out === undefined ? [] : await write(options.out);
  const page = isUsual ? partOf(report) : sizePart(report);
  const text = options.json ? JSON.stringify({ name: "paper", ...report }) : page;
  process.stdout.write(`${text}\n`);
  for (const file of files) screen.say(`written: ${file}`);
});
