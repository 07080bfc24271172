/** The experiment from beginning to end: the same load without and with the manager, then from a tuned baseline. */
import { readTopology, usableCpus } from "@kvm-governor/linux";
import { runArm } from "./arm.ts";
import type { ArmTick } from "./arm.ts";
import { castFor } from "./cast.ts";
import type { Part } from "./cast.ts";
import { differences, takeSnapshot } from "./control-snapshot.ts";
import { criteriaOf } from "./criteria.ts";
import type { Criterion, HeldBefore } from "./criteria.ts";
import { figuresOf, latencyOf } from "./figures.ts";
import type { Figures, Latency } from "./figures.ts";
import { runHeldBefore, snapshotGuest } from "./held-before.ts";
import { Manager } from "./manager.ts";
import type { ManagerSettings } from "./manager.ts";
import { makeSchedule, wantedCores } from "./schedule.ts";
import type { Schedule } from "./schedule.ts";
import { Stage } from "./stage.ts";

export interface ExperimentOptions extends ManagerSettings {
  /** Length of each of the two runs. */
  seconds: number;
  seed: number;
  say: (line: string) => void;
  /** Hears of each second of a run. */
  onTick: (title: string, tick: ArmTick) => void;
  onRunEnd: () => void;
  /** Hears of the guests as soon as they run. */
  onStage: (stage: Stage) => void;
  signal: AbortSignal;
}

export interface Outcome {
  preset: string;
  seed: number;
  seconds: number;
  checkPeriodMs: number;
  beta: number;
  cpus: number;
  guests: readonly Part[];
  /** What the services want together, as part of the host. */
  servicesWant: number;
  on: Figures;
  off: Figures;
  sampleToReadBackMs: Latency;
  restored: boolean;
  heldBefore: HeldBefore;
  criteria: Criterion[];
  notShown: string[];
}

/** @throws AbortError when the signal is aborted; whatever could not be started: nothing stays behind either way */
export function runExperiment(options: ExperimentOptions): Promise<Outcome> {
  return onStage(options, (play) => perform(options, play));
}

/** The guests, and when which of them is to work. */
export interface Play {
  stage: Stage;
  cpus: readonly number[];
  parts: readonly Part[];
  schedule: Schedule;
}

/** Sets the stage, has it played on, and clears it, whatever comes of the play. */
export async function onStage<T>(
  options: ExperimentOptions,
  perform: (play: Play) => Promise<T>,
): Promise<T> {
  const cpus = usableCpus(readTopology());
  const parts = castFor(cpus.length);
  const settleMs = (options.beta + 2) * options.checkPeriodMs;
  const schedule = makeSchedule(parts, options.seconds, options.seed, settleMs);
  options.say(
    `Starting ${parts.length} KVM guests of its own: ${parts.map(({ name }) => name).join(", ")} …`,
  );
  const stage = await Stage.set(parts, options.say);
  try {
    options.onStage(stage);
    options.signal.throwIfAborted();
    return await perform({ stage, cpus, parts, schedule });
  } finally {
    await stage.clear();
  }
}

async function perform(options: ExperimentOptions, play: Play): Promise<Outcome> {
  const { stage, cpus, parts, schedule } = play;
  const { say, signal, checkPeriodMs, beta } = options;
  const facts = { parts, cpus: cpus.length, checkPeriodMs };

  say(`\n1. Without kvm-governor: ${options.seconds} s of load, the kernel shares the CPUs fairly.`);
  const offRecord = await runArm({
    actors: stage.actors,
    schedule,
    signal,
    onTick: (tick) => options.onTick("without kvm-governor", tick),
  });
  options.onRunEnd();

  say(`\n2. With kvm-governor at work: the same ${options.seconds} s of load.`);
  const { record: onRecord, latencies, restored } = await managedArm(options, play);

  say(
    `\n3. Guests that somebody has tuned before: does it still see the busy guest, and put everything back?`,
  );
  const heldBefore = await withFailure(options, (fail, inner) =>
    runHeldBefore({
      stage,
      cpus,
      checkPeriodMs,
      beta,
      say,
      signal: inner,
      startManager: (declaredServices) =>
        Manager.start(stage, "tuned", { ...options, declaredServices }, say, fail, inner),
    }),
  );

  const [on, off] = [figuresOf(onRecord, facts), figuresOf(offRecord, facts)];
  const sampleToReadBackMs = latencyOf(latencies);
  const services = parts.filter(({ role }) => role !== "scientific");
  return {
    preset: options.preset,
    seed: options.seed,
    seconds: options.seconds,
    checkPeriodMs,
    beta,
    cpus: cpus.length,
    guests: parts,
    servicesWant: sum(services.map((part) => wantedCores(schedule, part))) / cpus.length,
    on,
    off,
    sampleToReadBackMs,
    restored,
    heldBefore,
    ...criteriaOf({ on, off, beta, sampleToReadBackMs, restored, heldBefore }),
  };
}

async function managedArm(
  options: ExperimentOptions,
  { stage, schedule }: Play,
): Promise<{ record: Awaited<ReturnType<typeof runArm>>; latencies: number[]; restored: boolean }> {
  const { say } = options;
  const baseline = takeSnapshot(stage.actors.map(snapshotGuest));
  return await withFailure(options, async (fail, signal) => {
    const manager = await Manager.start(stage, "governor", options, say, fail, signal);
    say(`   Look at it in a browser while it lasts: ${manager.consoleUrl}`);
    try {
      const record = await runArm({
        actors: stage.actors,
        schedule,
        signal,
        scientificList: () => manager.lists.scientific(),
        onTick: (tick) => options.onTick("with kvm-governor", tick),
      });
      options.onRunEnd();
      const latencies = [...manager.reports.latenciesMs];
      await manager.stop();
      const left = differences(baseline, takeSnapshot(stage.actors.map(snapshotGuest)));
      for (const difference of left) say(`  NOT as before: ${difference}`);
      return { record, latencies, restored: left.length === 0 };
    } catch (error) {
      await manager.stop();
      throw error;
    }
  });
}

/** A manager that cannot be kept running ends the experiment with what it said. */
export async function withFailure<Result>(
  options: Pick<ExperimentOptions, "signal">,
  work: (fail: (error: Error) => void, signal: AbortSignal) => Promise<Result>,
): Promise<Result> {
  const failure = new AbortController();
  const signal = AbortSignal.any([options.signal, failure.signal]);
  try {
    return await work((error) => failure.abort(error), signal);
  } catch (error) {
    throw failure.signal.aborted ? failure.signal.reason : error;
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
