/** Arguments of `npm run bench -- paper`. */
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { CLASSES, KERNELS, type Kernel, type ProblemClass } from "../npb.ts";
import { type BenchOptions, SIZES, type SizeName } from "./plan.ts";

export interface PaperOptions extends BenchOptions {
  json: boolean;
  /** Where what is measured so far is kept. */
  state: string;
  /** Forgets what an earlier run measured. */
  fresh: boolean;
  /** Directory of benchmarks.md and the plots; undefined: they are not written. */
  out: string | undefined;
}

/** An argument that cannot be understood. The message names it. */
export class OptionsError extends Error {
  override readonly name = "OptionsError";
}

export const USAGE = `npm run bench -- paper [OPTIONS]: the paper's experiment on Linux guests
  --short               one round, class S, kernels CG and MG, short runs; writes no pages
  --rounds N            default 5
  --kernels EP,CG,…     default all: ${KERNELS.join(",")}
  --class ${CLASSES.join("|")}         default S
  --load ${Object.keys(SIZES).join("|")}
                        of the services, default usual; each writes a part of its own
  --seconds S           least length of one run of a kernel alone, default 6
  --check-period-ms N   T_check of the governor, default 1000
  --beta N              default 2
  --seed N              order of arms and kernels, loads of the services; default 1
  --state FILE          measured so far, default in the temporary directory; a run that was stopped goes on there
  --fresh               forgets what an earlier run measured
  --out DIR             where benchmarks.md and the plots are written, default docs (with --short: not at all)
  --json                one JSON line in place of the tables`;

const DOCS = fileURLToPath(new URL("../../../docs", import.meta.url));
const SHORT = { rounds: "1", kernels: "CG,MG", seconds: "1", "check-period-ms": "500" };
const LONG = { rounds: "5", kernels: KERNELS.join(","), seconds: "6", "check-period-ms": "1000" };

/** @throws {OptionsError} naming the argument */
export function readOptions(args: readonly string[]): PaperOptions {
  const values = parse(args);
  const base = values.short === true ? SHORT : LONG;
  const options = {
    rounds: whole("rounds", values.rounds ?? base.rounds, 1),
    seed: whole("seed", values.seed ?? "1", 0),
    kernels: (values.kernels ?? base.kernels).split(",").map(kernel),
    problem: problem(values.class ?? "S"),
    size: sizeOf(values.load ?? "usual"),
    seconds: positive("seconds", values.seconds ?? base.seconds),
    checkPeriodMs: whole("check-period-ms", values["check-period-ms"] ?? base["check-period-ms"], 50),
    beta: whole("beta", values.beta ?? "2", 0),
  };
  const out = values.out ?? (values.short === true ? undefined : DOCS);
  return {
    ...options,
    json: values.json === true,
    fresh: values.fresh === true,
    state: values.state ?? path.join(tmpdir(), stateName(options.size, values.short === true)),
    out: out === undefined ? undefined : path.resolve(out),
  };
}

const stateName = (size: SizeName, isShort: boolean): string =>
  `kvmgov-paper${size === "usual" ? "" : `-${size}`}${isShort ? "-short" : ""}.json`;

function parse(args: readonly string[]) {
  const string = { type: "string" } as const;
  const boolean = { type: "boolean" } as const;
  const texts = {
    rounds: string,
    kernels: string,
    class: string,
    seconds: string,
    seed: string,
    load: string,
    beta: string,
  };
  const others = {
    "check-period-ms": string,
    state: string,
    out: string,
    short: boolean,
    fresh: boolean,
    json: boolean,
  };
  try {
    return parseArgs({ args: [...args], options: { ...texts, ...others } }).values;
  } catch (cause) {
    throw new OptionsError(`${(cause as Error).message}\n${USAGE}`, { cause });
  }
}

/** @throws {OptionsError} */
export function whole(name: string, text: string, least: number): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) {
    throw new OptionsError(`--${name}: a whole number from ${least} on, not "${text}"`);
  }
  return value;
}

/** @throws {OptionsError} */
export function positive(name: string, text: string): number {
  const value = Number(text);
  if (!(value > 0 && Number.isFinite(value)))
    throw new OptionsError(`--${name}: a number above 0, not "${text}"`);
  return value;
}

/** @throws {OptionsError} */
export function kernel(text: string): Kernel {
  const found = KERNELS.find((each) => each === text);
  if (found === undefined) throw new OptionsError(`--kernels: "${text}" is none of ${KERNELS.join(", ")}`);
  return found;
}

function problem(text: string): ProblemClass {
  const found = CLASSES.find((each) => each === text);
  if (found === undefined) throw new OptionsError(`--class: "${text}" is none of ${CLASSES.join(", ")}`);
  return found;
}

/** @throws {OptionsError} */
export function sizeOf(text: string): SizeName {
  const found = (Object.keys(SIZES) as SizeName[]).find((each) => each === text);
  if (found === undefined)
    throw new OptionsError(`--load: "${text}" is none of ${Object.keys(SIZES).join(", ")}`);
  return found;
}
