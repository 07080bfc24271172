/** Arguments of `npm run bench -- frontier`. */
import path from "node:path";
import { parseArgs } from "node:util";
import type { Kernel } from "../npb.ts";
import { OptionsError, kernel, positive, sizeOf, whole } from "./options.ts";
import { SIZES, type SizeName } from "./plan.ts";
import { REFERENCES, WAYS } from "./ways.ts";

export interface FrontierOptions {
  json: boolean;
  rounds: number;
  kernels: readonly Kernel[];
  /** Least length of one run of a kernel alone, in seconds. */
  seconds: number;
  /** Names of the ways, with the references, in the order of {@link WAYS}. */
  ways: readonly string[];
  size: SizeName;
  /** Of the services' loads. */
  seed: number;
  /** Directory of benchmarks.md and the plot; undefined: they are not written. */
  out: string | undefined;
}

export const FRONTIER_USAGE = `npm run bench -- frontier [OPTIONS]: ways of holding the paper's guests, by time of the kernels and latency of the services
  --rounds N            default 3
  --kernels EP,CG,…     default CG,MG,EP, of class S
  --seconds S           least length of one run of a kernel alone, default 3; the services are asked as long: a p99 of few requests is their worst
  --only NAME,NAME,…    these ways; ${REFERENCES.join(" and ")}, which the others are held against, run always. Default all:
                        ${[...WAYS.keys()].join(", ")}
  --load ${Object.keys(SIZES).join("|")}
                        of the services, default usual
  --seed N              of the services' loads, default 1
  --out DIR             writes its part of DIR/benchmarks.md and the plot; default: writes nothing
  --json                one JSON line in place of the tables`;

/** @throws {OptionsError} naming the argument */
export function readFrontierOptions(args: readonly string[]): FrontierOptions {
  const values = parse(args);
  return {
    json: values.json === true,
    rounds: whole("rounds", values.rounds ?? "3", 1),
    kernels: (values.kernels ?? "CG,MG,EP").split(",").map(kernel),
    seconds: positive("seconds", values.seconds ?? "3"),
    ways: waysOf(values.only),
    size: sizeOf(values.load ?? "usual"),
    seed: whole("seed", values.seed ?? "1", 0),
    out: values.out === undefined ? undefined : path.resolve(values.out),
  };
}

function parse(args: readonly string[]) {
  const string = { type: "string" } as const;
  const names = { rounds: string, kernels: string, seconds: string, only: string, seed: string, out: string };
  try {
    const options = { ...names, load: string, json: { type: "boolean" } } as const;
    return parseArgs({ args: [...args], options }).values;
  } catch (cause) {
    throw new OptionsError(`${(cause as Error).message}\n${FRONTIER_USAGE}`, { cause });
  }
}

function waysOf(only: string | undefined): string[] {
  const all = [...WAYS.keys()];
  if (only === undefined) return all;
  const asked = only.split(",");
  for (const name of asked)
    if (!WAYS.has(name)) throw new OptionsError(`--only: "${name}" is none of ${all.join(", ")}`);
  return all.filter((name) => asked.includes(name) || REFERENCES.includes(name));
}
