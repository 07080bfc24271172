/** One arm of one round: the guests held in its way, the loads of the services on, one kernel after the other. */
import { setTimeout as sleep } from "node:timers/promises";
import {
  type ControlSnapshot,
  differences,
  takeSnapshot,
} from "../../../packages/cli/src/demo/control-snapshot.ts";
import { PaperGuestError } from "../guest/errors.ts";
import type { PaperGuest } from "../guest/guest.ts";
import { type Kernel, type KernelRun, type ProblemClass, parseRun } from "../npb.ts";
import { type HeldArm, hasKernels, hasServices, holdArm } from "./arms.ts";
import { type Load, PC_PERIOD_MS, pcUnitsPerMs, startPcLoad, startWebLoad } from "./loads.ts";
import { Meter, type Reading, readHostBusyNs } from "./meter.ts";
import { type BenchOptions, SIZES, type Step } from "./plan.ts";
import type { ArmRun, KernelFigures, ServiceFigures, Sizes } from "./record.ts";
import { type SchedTrace, traceNowMs } from "./sched-trace.ts";
import { type ServiceGuest, type Stage, guestsOf } from "./stage.ts";

export interface TrialContext {
  stage: Stage;
  options: BenchOptions;
  sizes: Sizes;
  /** Of all guests before the first arm: what every arm has to leave behind. */
  baseline: ControlSnapshot;
  say: (line: string) => void;
  signal: AbortSignal;
  /** Undefined: this machine cannot be traced, or nobody asks for it. */
  trace: SchedTrace | undefined;
}

const WEB_THINK_MS_MAX = 40;
/** Check periods beyond beta until the governor's moves are surely made. */
const SETTLE_PERIODS = 3;
const SETTLE_TIMES_MAX = 5;
const RUN_MS_MAX = 600_000;
const REPEATS_MAX = 2000;

export async function runStep(context: TrialContext, step: Step): Promise<ArmRun> {
  const { stage, options } = context;
  const held = await holdArm(stage, step.arm, options);
  let run: Omit<ArmRun, "restored">;
  try {
    run = await runHeld(context, step, held);
  } finally {
    await held.end();
  }
  const left = differences(context.baseline, takeSnapshot(guestsOf(stage)));
  for (const difference of left) context.say(`  NOT as before: ${difference}`);
  return { ...run, restored: left.length === 0 };
}

/**
 * One step with the guests held by the caller. Of the step's arm only what it says of load and kernels counts here.
 * @throws {PaperGuestError} {LoadError} the guests are as they were, but for a kernel that may still run in the scientific one
 */
export async function runHeld(
  context: TrialContext,
  step: Step,
  held: HeldArm,
): Promise<Omit<ArmRun, "restored">> {
  const { scientific } = context.stage;
  const { round, arm } = step;
  if (!hasKernels(arm)) {
    await withLoads(context, step, () => settle(context, held));
    const ms = 1000 * context.options.seconds * step.kernels.length;
    const services = await withLoads(context, step, () => sleep(ms, undefined, { signal: context.signal }));
    return { round, arm, kernels: [], services };
  }
  // Busy without a gap until the first kernel begins: a guest that rests for beta check periods is a service again.
  await scientific.shell.run(
    `OMP_NUM_THREADS=${scientific.vcpus} npb EP A 100000 >/dev/null 2>&1 & echo $! >/tmp/busy`,
  );
  await withLoads(context, step, () => settle(context, held));
  const kernels: KernelFigures[] = [];
  const lists: (boolean | undefined)[] = [];
  const services = await withLoads(context, step, async () => {
    lists.push(await held.isClassified());
    for (const [at, kernel] of step.kernels.entries()) {
      context.signal.throwIfAborted();
      kernels.push(await runKernelIn(context, kernel, at === 0 ? "kill $(cat /tmp/busy); " : ""));
    }
    lists.push(await held.isClassified());
  });
  const classified = lists.includes(undefined) ? {} : { classified: !lists.includes(false) };
  return { round, arm, kernels, services, ...classified };
}

/** The same time in all arms; more where the governor has not seen by then that the scientific guest is busy. */
async function settle({ options, signal }: TrialContext, held: HeldArm): Promise<void> {
  const ms = (options.beta + SETTLE_PERIODS) * options.checkPeriodMs;
  await sleep(ms, undefined, { signal });
  const deadline = Date.now() + SETTLE_TIMES_MAX * ms;
  while ((await held.isClassified()) === false && Date.now() < deadline) {
    await sleep(options.checkPeriodMs, undefined, { signal });
  }
}

/** Runs `work` while the services are asked, and tells how they were served. */
async function withLoads(
  context: TrialContext,
  step: Step,
  work: () => Promise<void>,
): Promise<ServiceFigures[]> {
  if (!hasServices(step.arm)) {
    await work();
    return [];
  }
  const { stage } = context;
  const asked: { service: ServiceGuest; load: Load; meter: Meter; from: Reading }[] = [];
  try {
    for (const service of stage.services) {
      const load = await startLoad(context, service, step.loadSeed);
      const meter = new Meter(service.guest);
      asked.push({ service, load, meter, from: meter.read() });
    }
    await work();
    const read = asked.map(({ meter }) => meter.read());
    const figures: ServiceFigures[] = [];
    for (const [at, { service, load, from }] of asked.entries()) {
      const { guest, role, slaCores } = service;
      const to = read[at] ?? from;
      const ns = (to.atMs - from.atMs) * 1e6;
      const held = {
        cores: (to.runNs - from.runNs) / ns,
        delayShare: (to.delayNs - from.delayNs) / ns / guest.vcpus,
      };
      figures.push({ name: guest.name, role, slaCores, ...held, ...(await load.stop()) });
    }
    return figures;
  } catch (error) {
    // Loads that still run must not reach into what comes next.
    await Promise.allSettled(asked.map(({ load }) => load.stop()));
    throw error;
  } finally {
    for (const { meter } of asked) meter.close();
  }
}

function startLoad(
  { stage, sizes, options }: TrialContext,
  service: ServiceGuest,
  seed: number,
): Promise<Load> {
  if (service.role === "pc")
    return startPcLoad(service.guest, { periodMs: PC_PERIOD_MS, units: sizes.pcUnits });
  const users = SIZES[options.size].webUsers;
  const load = { users, thinkMsMax: WEB_THINK_MS_MAX, seed };
  return Promise.resolve(startWebLoad(stage.wrk, service.guest, stage.dir, load));
}

/** @param first what the guest's shell does before: in the same command, so that the guest does not rest in between */
async function runKernelIn(
  { stage, options, sizes, trace }: TrialContext,
  kernel: Kernel,
  first: string,
): Promise<KernelFigures> {
  const { scientific, services } = stage;
  const repeats = sizes.repeats[kernel] ?? 1;
  const meters = [new Meter(scientific), ...services.map(({ guest }) => new Meter(guest))];
  try {
    trace?.start(scientific.vcpuTids);
    const fromMs = traceNowMs();
    const busyFrom = readHostBusyNs();
    const from = meters.map((meter) => meter.read());
    const { seconds } = await runKernelOn(scientific, kernel, options.problem, repeats, first);
    const to = meters.map((meter) => meter.read());
    const busyNs = readHostBusyNs() - busyFrom;
    const together = trace?.stop(scientific.vcpuTids, { fromMs, toMs: traceNowMs() });
    return {
      kernel,
      repeats,
      seconds,
      ...figuresOf(from, to, busyNs),
      ...(together === undefined ? {} : { together }),
    };
  } finally {
    for (const meter of meters) meter.close();
  }
}

/** @param from of the scientific guest and then of the services, before; `to`: after */
export function figuresOf(
  from: readonly Reading[],
  to: readonly Reading[],
  busyNs: number,
): Omit<KernelFigures, "kernel" | "repeats" | "seconds"> {
  const change = (at: number, field: keyof Reading): number =>
    (to[at]?.[field] ?? 0) - (from[at]?.[field] ?? 0);
  const wallNs = change(0, "atMs") * 1e6;
  const processNs = from.map((_, at) => change(at, "processRunNs"));
  const servicesNs = sum(processNs.slice(1));
  return {
    wallSeconds: wallNs / 1e9,
    switches: change(0, "switches"),
    migrations: change(0, "migrations"),
    runSeconds: change(0, "runNs") / 1e9,
    delaySeconds: change(0, "delayNs") / 1e9,
    servicesCores: servicesNs / wallNs,
    otherCores: Math.max(0, (busyNs - sum(processNs)) / wallNs),
  };
}

/** @throws {PaperGuestError} it did not reproduce the published values */
async function runKernelOn(
  guest: PaperGuest,
  kernel: Kernel,
  problem: ProblemClass,
  repeats: number,
  first = "",
): Promise<KernelRun> {
  const command = `${first}OMP_NUM_THREADS=${guest.vcpus} npb ${kernel} ${problem} ${repeats}`;
  const { code, output } = await guest.shell.tryRun(command, RUN_MS_MAX);
  if (code > 1) throw new PaperGuestError(`${kernel}.${problem}: exit code ${code}: ${output.trim()}`);
  const run = parseRun(output);
  if (!run.verified) throw new PaperGuestError(`${kernel}.${problem}: not verified, error ${run.error}`);
  return run;
}

/**
 * How often each kernel is repeated, and how much the PC guest works: measured once, with nothing else to do. By CPU time, so that
 * what else runs on the machine does not make the work smaller.
 */
export async function measureSizes(stage: Stage, options: BenchOptions): Promise<Sizes> {
  const pc = stage.services.find(({ role }) => role === "pc");
  const unitsPerMs = pc === undefined ? 0 : await pcUnitsPerMs(pc.guest);
  const repeats: Sizes["repeats"] = {};
  for (const kernel of options.kernels) {
    const cpuSeconds = await cpuSecondsOf(stage.scientific, () =>
      runKernelOn(stage.scientific, kernel, options.problem, 1),
    );
    const wanted = Math.ceil((options.seconds * stage.scientific.vcpus) / cpuSeconds);
    repeats[kernel] = Math.min(REPEATS_MAX, Math.max(1, wanted));
  }
  return { repeats, pcUnits: Math.round(SIZES[options.size].pcWorkMs * unitsPerMs) };
}

/** CPU time of the guest's vCPUs while `work` runs. */
async function cpuSecondsOf(guest: PaperGuest, work: () => Promise<unknown>): Promise<number> {
  const meter = new Meter(guest);
  try {
    const from = meter.read();
    await work();
    return (meter.read().runNs - from.runNs) / 1e9;
  } finally {
    meter.close();
  }
}

const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
