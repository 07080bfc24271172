/** The whole experiment: guests up, sizes measured once, every step of the plan that is not measured yet, guests away. */
import { rmSync } from "node:fs";
import { takeSnapshot } from "../../../packages/cli/src/demo/control-snapshot.ts";
import type { Screen } from "../../../packages/cli/src/demo/screen.ts";
import { Seeded } from "../../support/seeded.ts";
import type { PaperOptions } from "./options.ts";
import { ARMS, type BenchOptions, type Step, planOf } from "./plan.ts";
import type { ArmRun, BenchState } from "./record.ts";
import { twice } from "./retry.ts";
import { SchedTrace, SchedTraceError } from "./sched-trace.ts";
import { type Stage, guestsOf, withStage } from "./stage.ts";
import { openState, saveState } from "./state.ts";
import { type TrialContext, measureSizes, runStep } from "./trial.ts";

/** @throws AbortError of the signal; whatever could not be started: nothing stays behind but the state file */
export async function runPaper(
  options: PaperOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<BenchState> {
  if (options.fresh) rmSync(options.state, { force: true });
  const say = (line: string): void => screen.say(line);
  const run = async (stage: Stage): Promise<BenchState> => {
    const trace = openTrace(say);
    try {
      return await runOn({ stage, trace }, options, screen, signal);
    } finally {
      screen.show([]);
      trace?.close();
    }
  };
  return withStage(say, signal, run, options.size);
}

/** Without it everything but where the time goes can be measured. */
function openTrace(say: (line: string) => void): SchedTrace | undefined {
  try {
    return new SchedTrace();
  } catch (error) {
    if (!(error instanceof SchedTraceError)) throw error;
    say(`paper: where the time goes is not measured: ${error.message}`);
    return undefined;
  }
}

async function runOn(
  { stage, trace }: { stage: Stage; trace: SchedTrace | undefined },
  options: PaperOptions,
  screen: Screen,
  signal: AbortSignal,
): Promise<BenchState> {
  const bench = benchOptions(options);
  const state = openState(options.state, {
    options: bench,
    setting: { cpus: stage.cpus.length, accelerator: stage.accelerator, image: stage.image },
    startedAt: new Date().toISOString(),
    runs: [],
  });
  state.sizes ??= await measureSizes(stage, bench);
  saveState(options.state, state);
  const repeats = Object.entries(state.sizes.repeats).map(([kernel, times]) => `${kernel} x ${times}`);
  screen.say(`paper: one run of a kernel is ${repeats.join(", ")}`);
  const say = (line: string): void => screen.say(line);
  const baseline = takeSnapshot(guestsOf(stage));
  const context: TrialContext = { stage, options: bench, sizes: state.sizes, baseline, say, signal, trace };
  const plan = planOf(bench, new Seeded(bench.seed));
  const left = plan.filter((step) => !state.runs.some((run) => isOf(run, step)));
  if (left.length < plan.length)
    screen.say(`paper: going on after ${plan.length - left.length} of ${plan.length} (${options.state})`);
  const started = Date.now();
  for (const [at, step] of left.entries()) {
    signal.throwIfAborted();
    screen.show([
      progress(
        plan.length - left.length + at,
        plan.length,
        step,
        (Date.now() - started) / Math.max(1, at),
        left.length - at,
      ),
    ]);
    const name = `round ${step.round + 1}, ${ARMS[step.arm]}`;
    const run = await twice(context, name, () => runStep(context, step));
    state.runs.push(run);
    saveState(options.state, state);
    screen.say(lineOf(run));
  }
  return state;
}

const isOf = (run: ArmRun, step: Step): boolean => run.round === step.round && run.arm === step.arm;

/** What the state file is compared by: not where it is or what is done with it. */
function benchOptions({
  rounds,
  seed,
  kernels,
  problem,
  seconds,
  checkPeriodMs,
  beta,
  size,
}: PaperOptions): BenchOptions {
  return { size, rounds, seed, kernels, problem, seconds, checkPeriodMs, beta };
}

const BAR_WIDTH = 30;

export function progress(done: number, all: number, step: Step, msPerStep: number, left: number): string {
  const filled = Math.round((done / all) * BAR_WIDTH);
  const minutes =
    done === 0 || msPerStep === 0 ? "" : `, about ${Math.ceil((msPerStep * left) / 60_000)} min left`;
  return `[${"#".repeat(filled)}${".".repeat(BAR_WIDTH - filled)}] ${done}/${all}: round ${step.round + 1}, ${ARMS[step.arm]}${minutes}`;
}

function lineOf(run: ArmRun): string {
  const kernels = run.kernels.map((k) => `${k.kernel} ${k.seconds.toFixed(2)} s, ${k.switches} switches`);
  const services = run.services.map(
    (s) => `${s.name} ${s.throughput.toFixed(1)}/s p99 ${s.p99Ms.toFixed(1)} ms ${s.cores.toFixed(2)} cores`,
  );
  const classified = run.classified === false ? " (the scientific guest is NOT in LIST_sc)" : "";
  return `round ${run.round + 1}, ${ARMS[run.arm]}${classified}: ${[...kernels, ...services].join("; ")}`;
}
