/** `kvmgov demo`: the paper's experiment in small, on real KVM guests made for it; leaves nothing behind. */
import { settingsSchema } from "@kvm-governor/policy";
import type { ArmTick } from "../demo/arm.ts";
import { runExperiment } from "../demo/experiment.ts";
import type { ExperimentOptions } from "../demo/experiment.ts";
import { heldViewer } from "../demo/held-view.ts";
import { snapshotGuest } from "../demo/held-before.ts";
import { outcomeJson, outcomeLines } from "../demo/report.ts";
import { checkRequirements } from "../demo/requirements.ts";
import { SECONDS_MIN } from "../demo/schedule.ts";
import { Screen } from "../demo/screen.ts";
import { watchAtWork } from "../demo/watch.ts";
import { RowMaker, tableInOneLine, tableLines } from "../demo/table.ts";

export interface DemoFlags {
  preset?: string;
  seconds?: string;
  seed?: string;
  json?: boolean;
  /** Goes on until Ctrl-C, so that there is time to look at the console. */
  watch?: boolean;
}

/** Each of the two runs: with the check period below more than 500 samples, and about 4 minutes for the whole demo. */
const SECONDS = 105;
const SEED = 2014;
const CHECK_PERIOD_MS = 200;
/** How often a line is written where the table cannot be drawn in place. */
const LINE_EVERY_TICKS = 5;
const INTERRUPTED = 130;

export class DemoFlagError extends Error {
  override readonly name = "DemoFlagError";
}

/** @returns 0; 1 where something was not shown; 130 after Ctrl-C, which is how `--watch` ends well: then 0 */
export async function demo(flags: DemoFlags): Promise<number> {
  const settings = readSettings(flags);
  if (flags.watch === true && flags.json === true)
    throw new DemoFlagError("--watch shows, --json measures: use one of the two");
  checkRequirements();
  const screen = new Screen(flags.json === true ? process.stderr : process.stdout);
  const interrupt = new AbortController();
  const onSignal = (): void => {
    screen.say(
      interrupt.signal.aborted ? "Still putting everything away …" : "Stopping: everything is put away …",
    );
    screen.show([]);
    interrupt.abort();
  };
  process.on("SIGINT", onSignal);
  process.on("SIGTERM", onSignal);
  process.on("SIGHUP", onSignal);
  try {
    const options: ExperimentOptions = {
      ...settings,
      say: (line) => screen.say(line),
      ...liveTable(screen, interrupt.signal),
      signal: interrupt.signal,
    };
    if (flags.watch === true) return await watchAtWork(options);
    const outcome = await runExperiment(options);
    for (const line of outcomeLines(outcome)) screen.say(line);
    if (flags.json === true) process.stdout.write(`${outcomeJson(outcome)}\n`);
    return outcome.criteria.every(({ met }) => met) ? 0 : 1;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    screen.say("Stopped. Nothing is left behind.");
    return flags.watch === true ? 0 : INTERRUPTED;
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
    process.off("SIGHUP", onSignal);
  }
}

type Listeners = Pick<Parameters<typeof runExperiment>[0], "onStage" | "onTick" | "onRunEnd">;

function liveTable(screen: Screen, signal: AbortSignal): Listeners {
  let maker: RowMaker | undefined;
  let ticks = 0;
  return {
    onStage: ({ actors }) => {
      maker = new RowMaker(
        actors,
        new Map(actors.map((actor) => [actor.name, heldViewer(snapshotGuest(actor))])),
      );
    },
    onTick: (name: string, tick: ArmTick) => {
      if (signal.aborted) return;
      const rows = maker?.rows(tick) ?? [];
      const title = `${name}, ${Math.round(tick.elapsedMs / 1000)} of ${tick.lengthMs / 1000} s`;
      if (screen.isLive) screen.show(tableLines(title, rows));
      else if (++ticks % LINE_EVERY_TICKS === 0) screen.say(tableInOneLine(title, rows));
    },
    onRunEnd: () => screen.show([]),
  };
}

/** Check period and beta may be tried out through the classifier's own variables; both runs and the criteria follow. */
function readSettings(flags: DemoFlags): {
  preset: string;
  seconds: number;
  seed: number;
  checkPeriodMs: number;
  beta: number;
} {
  const { env } = process;
  const { checkPeriodMs, beta } = settingsSchema.shape;
  return {
    preset: flags.preset ?? "default",
    seconds: wholeNumber("--seconds", flags.seconds, SECONDS, SECONDS_MIN),
    seed: wholeNumber("--seed", flags.seed, SEED, 0),
    checkPeriodMs: checkPeriodMs.parse(
      wholeNumber("KVMGOV_CHECK_PERIOD_MS", env["KVMGOV_CHECK_PERIOD_MS"], CHECK_PERIOD_MS, 50),
    ),
    beta: wholeNumber("KVMGOV_BETA", env["KVMGOV_BETA"], beta.parse(undefined), 0),
  };
}

function wholeNumber(name: string, text: string | undefined, usual: number, least: number): number {
  if (text === undefined) return usual;
  const value = Number(text);
  if (/^\d{1,9}$/.test(text) && value >= least) return value;
  throw new DemoFlagError(`${name} must be a whole number of at least ${least}, not ${JSON.stringify(text)}`);
}
