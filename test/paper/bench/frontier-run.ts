/** The arms of the frontier: the guests held in one way each, measured, and let go again. */
import { differences, groupsOf, takeSnapshot } from "../../../packages/cli/src/demo/control-snapshot.ts";
import type { Arm, Figures } from "../../bench/harness.ts";
import type { PaperGuest } from "../guest/guest.ts";
import { ChangeError, makeChanges } from "./changes.ts";
import type { FrontierOptions } from "./frontier-options.ts";
import { figuresOfRun } from "./frontier.ts";
import type { BenchOptions, Step } from "./plan.ts";
import { twice } from "./retry.ts";
import { hasSlices } from "./slice.ts";
import { type Stage, guestsOf } from "./stage.ts";
import { type TrialContext, measureSizes, runHeld } from "./trial.ts";
import { type Ground, type HeldGuest, WAYS, type Way, changesOf } from "./ways.ts";

/** As the short form of the paper's experiment. Without a governor they are only the time that loads run before the kernels do. */
const SETTLING = { checkPeriodMs: 500, beta: 2 };
/** Of `Step`: what its arm says of the loads; how the guests are held is not asked of it. */
const LOADS = { scientific: "alone", services: "services", both: "default" } as const;

/**
 * One arm a way. Sizes of the work are measured here, once.
 * @throws {PaperGuestError} {ChangeError} the host has cgroup v2
 */
export async function frontierArms(
  stage: Stage,
  options: FrontierOptions,
  { say, signal }: Pick<TrialContext, "say" | "signal">,
): Promise<Arm[]> {
  const { rounds, seed, kernels, seconds, size } = options;
  const bench: BenchOptions = { rounds, seed, kernels, problem: "S", seconds, size, ...SETTLING };
  const ground = groundOf(stage);
  const sizes = await measureSizes(stage, bench);
  const baseline = takeSnapshot(guestsOf(stage));
  const context: TrialContext = { stage, options: bench, sizes, trace: undefined, baseline, say, signal };
  const ways = waysHere(options.ways, say);
  let done = 0;
  return ways.map(([name, way]) => {
    let round = 0;
    const measure = async (): Promise<Figures> => {
      signal.throwIfAborted();
      const step = { round, arm: LOADS[way.only ?? "both"], kernels, loadSeed: seed + round };
      const figures = await twice(context, name, () => measureWay(context, step, way, ground));
      round++;
      say(`${++done}/${ways.length * rounds} ${name}: ${inShort(figures)}`);
      return figures;
    };
    return { name, measure };
  });
}

/** Those that this kernel can be held to. */
function waysHere(names: readonly string[], say: (line: string) => void): [string, Way][] {
  const takesSlices = hasSlices();
  return names.flatMap((name) => {
    const way = WAYS.get(name);
    if (way === undefined) return [];
    if (way.setting.sliceMs === undefined || takesSlices) return [[name, way]];
    say(`${name} is left out: this kernel takes no slices (before Linux 6.12)`);
    return [];
  });
}

/** @throws {ChangeError} a setting was refused, or something is not as it was afterwards: arms that follow would measure that */
async function measureWay(context: TrialContext, step: Step, way: Way, ground: Ground): Promise<Figures> {
  const { stage, baseline } = context;
  const takeBack = makeChanges(changesOf(way.setting, ground));
  let run: Awaited<ReturnType<typeof runHeld>>;
  try {
    run = await runHeld(context, step, { isClassified: async () => undefined, end: async () => undefined });
  } finally {
    takeBack();
  }
  const left = differences(baseline, takeSnapshot(guestsOf(stage)));
  if (left.length > 0) throw new ChangeError(`not as before: ${left.join("; ")}`);
  return figuresOfRun(run, stage.scientific.vcpus);
}

/** @throws {ChangeError} a guest has no groups of its own, or of cgroup v2, whose files have other names */
function groundOf({ cpus, scientific, services }: Stage): Ground {
  return {
    cpus,
    scientific: heldGuest(scientific),
    services: services.map(({ guest, slaCores }) => ({ ...heldGuest(guest), slaCores })),
  };
}

function heldGuest(guest: PaperGuest): HeldGuest {
  const groups = groupsOf(guest).cpu;
  if (groups?.guest === undefined || groups.vcpus.size < guest.vcpus)
    throw new ChangeError(`${guest.name} has no control groups of its own and of its vCPUs`);
  if (groups.version !== 1)
    throw new ChangeError(`${guest.name} is in cgroup v2: the ways are written in files of cgroup v1`);
  return { dir: groups.guest, vcpuDirs: [...groups.vcpus.values()], vcpuTids: guest.vcpuTids };
}

function inShort(figures: Figures): string {
  const shown = Object.entries(figures).filter(([name]) => /^[A-Z]+_s$|_p99_ms$/.test(name));
  return shown.map(([name, value]) => `${name} ${Number(value.toPrecision(3))}`).join(", ");
}
