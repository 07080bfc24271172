/** The parallel kernels of `kernels/`: compiling them with the machine's gcc, running one here, reading what it says. */
import { execFile, spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";

export const KERNELS = ["EP", "CG", "MG", "FT", "IS", "LU"] as const;
export type Kernel = (typeof KERNELS)[number];
/** Sizes of the problem, smallest first. */
export const CLASSES = ["S", "W", "A"] as const;
export type ProblemClass = (typeof CLASSES)[number];

/** One run of a kernel, as it reports it. */
export interface KernelRun {
  kernel: Kernel;
  class: ProblemClass;
  threads: number;
  /** How often the timed part was run. */
  repeats: number;
  /** Of the part that NPB times, all repetitions together, by the clock of the machine or guest that it ran on. */
  seconds: number;
  /** Whether it reproduced NPB's published values within NPB's own tolerance. */
  verified: boolean;
  /** Largest relative difference from those; of IS: how many ranks are wrong. */
  error: number;
}

/** A kernel could not be compiled, or did not say what it should. */
export class KernelError extends Error {
  override readonly name = "KernelError";
}

const execute = promisify(execFile);
const SOURCES = fileURLToPath(new URL("kernels", import.meta.url));
const FLAGS = ["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-fopenmp"];
const COMPILE_MS_MAX = 120_000;

/** Why the kernels cannot be compiled here; undefined when they can. */
export function whyNoCompiler(): string | undefined {
  const asked = spawnSync("gcc", ["-print-file-name=libgomp.spec"], { encoding: "utf8" });
  if (asked.error !== undefined || asked.status !== 0) return "no gcc";
  // gcc answers with the bare name where it has no such file.
  return path.isAbsolute(asked.stdout.trim()) ? undefined : "gcc has no libgomp (OpenMP)";
}

/**
 * Compiles the kernels into one program.
 * @param program where it goes
 * @param options `sources`: another directory than the project's. `isStatic`: for a guest without libraries
 * @throws {KernelError} with what the compiler says
 */
export async function compileKernels(
  program: string,
  options: { sources?: string; isStatic?: boolean } = {},
): Promise<void> {
  const dir = options.sources ?? SOURCES;
  const files = readdirSync(dir).filter((name) => name.endsWith(".c"));
  const how = options.isStatic === true ? [...FLAGS, "-static"] : FLAGS;
  const args = [...how, "-o", program, ...files.map((name) => path.join(dir, name)), "-lm"];
  await compile(args);
}

/** Runs gcc. @throws {KernelError} with what it says */
export async function compile(args: readonly string[]): Promise<void> {
  try {
    await execute("gcc", [...args], { timeout: COMPILE_MS_MAX });
  } catch (cause) {
    const said = (cause as { stderr?: string }).stderr?.trim() || (cause as Error).message;
    throw new KernelError(`gcc: ${said}`, { cause });
  }
}

/** Runs one kernel on this machine. A run that is not verified is no error. @throws {KernelError} it did not report */
export async function runKernel(
  program: string,
  kernel: Kernel,
  problem: ProblemClass,
  threads: number,
  repeats = 1,
): Promise<KernelRun> {
  const env = { PATH: process.env["PATH"], OMP_NUM_THREADS: String(threads), OMP_WAIT_POLICY: "passive" };
  const { stdout } = await execute(program, [kernel, problem, String(repeats)], { env }).catch(
    (error: unknown) => {
      const failed = error as { code?: unknown; stdout?: string; stderr?: string };
      if (failed.code === 1 && failed.stdout) return { stdout: failed.stdout };
      throw new KernelError(`${kernel}.${problem}: ${failed.stderr?.trim() || String(error)}`, {
        cause: error,
      });
    },
  );
  return parseRun(stdout);
}

/** Reads a kernel's report. @throws {KernelError} naming what is wrong with it */
export function parseRun(text: string): KernelRun {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new KernelError(`a kernel's report is not JSON: ${JSON.stringify(text.slice(0, 200))}`, { cause });
  }
  const run = value as Partial<Record<keyof KernelRun, unknown>>;
  const wrong = [
    ...(KERNELS.includes(run.kernel as Kernel) ? [] : ["kernel"]),
    ...(CLASSES.includes(run.class as ProblemClass) ? [] : ["class"]),
    ...(["threads", "repeats", "seconds", "error"] as const).filter((name) => !Number.isFinite(run[name])),
    ...(typeof run.verified === "boolean" ? [] : ["verified"]),
  ];
  if (wrong.length > 0) throw new KernelError(`a kernel's report has no good ${wrong.join(", ")}: ${text}`);
  return run as KernelRun;
}
