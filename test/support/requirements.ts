/** What a test needs of the machine. Tests whose needs are not met are skipped by name and reason. */
import { describe } from "@jest/globals";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { type ToolSet, whyNoTools } from "../../scripts/lib/toolbox.js";
import { whyNoCompiler } from "../paper/npb.ts";

export type Requirement = "root" | "x86" | "kvm" | "cgroup-v1" | "openmp" | ToolSet;

/** Why this machine does not meet a requirement; undefined when it does. */
export function requirement(name: Requirement): string | undefined {
  switch (name) {
    case "root":
      return process.getuid?.() === 0 ? undefined : "not root";
    case "x86":
      return process.arch === "x64" ? undefined : "not an x86 machine";
    case "kvm":
      return whyNoKvm();
    case "cgroup-v1":
      return hasCgroupV1() ? undefined : "no cgroup v1 with cpu and cpuset";
    case "openmp":
      return whyNoCompiler();
    default:
      return whyNoTools([name]);
  }
}

/** The first reason why this machine does not meet these requirements; undefined when it meets all. */
export function whyNot(requirements: readonly Requirement[]): string | undefined {
  return requirements.map(requirement).find((reason) => reason !== undefined);
}

/** `describe` that is skipped, with the reason in its name, where the machine lacks what it needs. */
export function describeWith(requirements: readonly Requirement[], name: string, tests: () => void): void {
  const reason = whyNot(requirements);
  if (reason === undefined) describe(name, tests);
  else describe.skip(`${name} — skipped: ${reason} —`, tests);
}

function whyNoKvm(): string | undefined {
  if (process.arch !== "x64") return "guests are for x86";
  if (!existsSync("/dev/kvm")) return "no /dev/kvm";
  try {
    closeSync(openSync("/dev/kvm", "r+"));
    return undefined;
  } catch (error) {
    return `/dev/kvm does not open: ${String(error)}`;
  }
}

function hasCgroupV1(): boolean {
  const options = readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => / - cgroup \S+ (\S+)/.exec(line)?.[1]?.split(",") ?? []);
  return ["cpu", "cpuset"].every((controller) => options.some((list) => list.includes(controller)));
}
