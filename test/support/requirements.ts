/** What a test needs of the machine. Tests whose needs are not met are skipped by name and reason. */
import { describe } from "@jest/globals";
import { spawnSync } from "node:child_process";
import { closeSync, existsSync, openSync, readFileSync } from "node:fs";
import { type ToolSet, whyNoTools } from "../../scripts/lib/toolbox.js";
import { whyNoCompiler } from "../paper/npb.ts";

export type Requirement = "root" | "x86" | "kvm" | "cgroup-v1" | "openmp" | "namespaces" | ToolSet;

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
    case "namespaces":
      return whyNoNamespaces();
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

/** Hosts of their own on this machine: ip(8), IPv6, and namespaces of every kind, time (Linux 5.6) included. */
function whyNoNamespaces(): string | undefined {
  if (!existsSync("/proc/self/ns/time")) return "no time namespaces";
  if (!existsSync("/proc/net/if_inet6")) return "no IPv6";
  const spaces = ["--mount", "--uts", "--net", "--pid", "--time", "--fork"];
  const { error, status, stderr } = spawnSync("unshare", [...spaces, "ip", "link"], { encoding: "utf8" });
  if (error !== undefined) return error.message;
  return status === 0 ? undefined : `namespaces: ${stderr.trim()}`;
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
