/**
 * The frontier: the paper's guests held in ways that a policy could choose from, each a raw setting of the kernel, without the
 * governor; time of the scientific guest against latency of the services. See `--help`, and docs/benchmarks.md for what came out.
 */
import { enter } from "../paper/bench/enter.ts";
import { FRONTIER_USAGE, readFrontierOptions } from "../paper/bench/frontier-options.ts";
import { frontierTable, writeFrontier } from "../paper/bench/frontier-page.ts";
import { frontierArms } from "../paper/bench/frontier-run.ts";
import { frontierOf } from "../paper/bench/frontier.ts";
import { type Stage, withStage } from "../paper/bench/stage.ts";
import { runBench } from "./harness.ts";

const onStop = "What was measured so far is lost.";

await enter({ usage: FRONTIER_USAGE, onStop }, async (args, screen, signal) => {
  const options = readFrontierOptions(args);
  const startedAt = new Date().toISOString();
  const say = (line: string): void => screen.say(line);
  const print = (text: string): void => void process.stdout.write(`${text}\n`);
  const measure = async (stage: Stage) => {
    const arms = await frontierArms(stage, options, { say, signal });
    const { rounds } = options;
    // The JSON line is written below, with the frontier in it.
    const write = options.json ? () => undefined : print;
    const bench = await runBench({ name: "frontier", arms, rounds, warmUpRounds: 0, json: false, write });
    return { ...bench, accelerator: stage.accelerator };
  };
  const measured = await withStage(say, signal, measure, options.size);
  const report = { ...measured, options, startedAt, frontier: frontierOf(measured.results) };
  print(options.json ? JSON.stringify(report) : `\n${frontierTable(report.frontier)}`);
  const files = options.out === undefined ? [] : await writeFrontier(options.out, report);
  for (const file of files) say(`written: ${file}`);
});
