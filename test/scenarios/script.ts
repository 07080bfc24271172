/**
 * The language of scenarios: one step a line, `#` begins a comment.
 *
 *     host 16 used 0.2              16 CPUs; the host itself uses 0.2 cores (again later: changes it)
 *     set beta 2                    a setting of the classifier
 *     guest web 2 service sla 0.9   arrives: vCPUs, then any of: a class, `sla` cores, `delay` part, `pinned` CPU list
 *     load web 0.3                  every vCPU runs 0.3 of the time; `0.25/0.75`: and waits 0.75; `1,0.2`: one a vCPU
 *     wants web 1                   every vCPU wants that much, and gets what its bandwidth in the plan lets it have
 *     state web paused              running, paused, migrating, incomplete, or unreadable
 *     restart web | gone web        another process, or none
 *     tick 5                        five periods
 *     show                          the plan as it is, with entitlements and reasons
 */
import { parseCpuList } from "@kvm-governor/policy";
import type { Declared } from "@kvm-governor/policy";

export const STATES = ["running", "paused", "migrating", "incomplete", "unreadable"] as const;
export type State = (typeof STATES)[number];

/** What one vCPU does, in cores. */
export interface Use {
  run: number;
  delay: number;
}

export type Step = { line: number } & (
  | { kind: "host"; cpus: number; usedCores: number }
  | { kind: "set"; key: string; value: string | number }
  | { kind: "guest"; name: string; vcpus: number; declared: Declared; allowedCpus?: number[] }
  | { kind: "load" | "wants"; name: string; uses: Use[] }
  | { kind: "state"; name: string; state: State }
  | { kind: "restart" | "gone"; name: string }
  | { kind: "tick"; periods: number }
  | { kind: "show" }
);

/** A line that is no step, or a step that cannot be taken. */
export class ScenarioError extends Error {
  override readonly name = "ScenarioError";
  constructor(line: number, problem: string) {
    super(`line ${line}: ${problem}`);
  }
}

/** @throws {ScenarioError} naming the line */
export function parseScript(text: string): Step[] {
  const steps: Step[] = [];
  for (const [i, raw] of text.split("\n").entries()) {
    const words = raw.replace(/#.*/, "").trim().split(/\s+/);
    if (words[0] !== "") steps.push(parseStep(i + 1, words));
  }
  return steps;
}

function parseStep(line: number, [kind = "", first = "", ...rest]: readonly string[]): Step {
  switch (kind) {
    case "host":
      return {
        line,
        kind,
        cpus: amount(line, first),
        usedCores: rest[0] === "used" ? amount(line, rest[1]) : 0,
      };
    case "set":
      return {
        line,
        kind,
        key: first,
        value: Number.isNaN(Number(rest[0])) ? (rest[0] ?? "") : Number(rest[0]),
      };
    case "guest":
      return parseGuest(line, first, rest);
    case "load":
    case "wants":
      return {
        line,
        kind,
        name: first,
        uses: (rest[0] ?? "").split(",").map((text) => parseUse(line, text)),
      };
    case "state": {
      const state = STATES.find((known) => known === rest[0]);
      if (state === undefined) throw new ScenarioError(line, `${rest[0]} is none of ${STATES.join(", ")}`);
      return { line, kind, name: first, state };
    }
    case "restart":
    case "gone":
      return { line, kind, name: first };
    case "tick":
      return { line, kind, periods: first === "" ? 1 : amount(line, first) };
    case "show":
      return { line, kind };
    default:
      throw new ScenarioError(line, `${kind} is no step`);
  }
}

function parseGuest(line: number, name: string, [vcpus, ...words]: readonly string[]): Step {
  const declared: Declared = { class: "auto" };
  let allowedCpus: number[] | undefined;
  for (let at = 0; at < words.length; at++) {
    const word = words[at];
    if (word === "sla") declared.slaCores = amount(line, words[++at]);
    else if (word === "delay") declared.slaDelay = amount(line, words[++at]);
    else if (word === "pinned") allowedCpus = parseCpuList(words[++at] ?? "");
    else if (word === "service" || word === "scientific" || word === "exempt") declared.class = word;
    else throw new ScenarioError(line, `${word} says nothing about a guest`);
  }
  if (words.length > 0) declared.source = "scenario";
  return {
    line,
    kind: "guest",
    name,
    vcpus: amount(line, vcpus),
    declared,
    ...(allowedCpus === undefined ? {} : { allowedCpus }),
  };
}

function parseUse(line: number, text: string): Use {
  const [run, delay = "0"] = text.split("/");
  return { run: amount(line, run), delay: amount(line, delay) };
}

function amount(line: number, text: string | undefined): number {
  const value = Number(text === undefined || text === "" ? NaN : text);
  if (!(value >= 0)) throw new ScenarioError(line, `${text ?? "nothing"} is no amount`);
  return value;
}
