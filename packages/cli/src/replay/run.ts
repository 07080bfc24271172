/** Replays recordings of one host under one policy or two, record by record: nothing but counts is kept of a sample. */
import type { RecordingHeader, Sample } from "@kvm-governor/policy";
import { readRecording } from "../recording/reader.ts";
import type { RecordingProblem } from "../recording/reader.ts";
import { Replayer } from "./replayer.ts";
import type { Step } from "./replayer.ts";
import { redeclared } from "./policy.ts";
import type { ReplayPolicy } from "./policy.ts";

/** One policy and what came of it. */
export interface Arm {
  policy: ReplayPolicy;
  replayer: Replayer;
}

/** How often two policies had a guest in different lists, in milliseconds. */
export interface Difference {
  uuid: string;
  differsMs: number;
}

export interface ReplayResult {
  host: string;
  arms: Arm[];
  /** With two policies: guests that were in different lists at some time. */
  differences: Difference[];
  problems: RecordingProblem[];
}

export interface ReplayInput {
  host: string;
  /** Recordings of that host, in the order of their beginning. */
  files: readonly string[];
  policies: readonly ReplayPolicy[];
  /** Wall time, milliseconds: only samples from then on, and before then, are told. */
  fromMs?: number;
  toMs?: number;
  /** Is told what each sample brought, arm by arm. */
  onStep?: (arm: Arm, step: Step) => void;
  /** Is told of each file as it is begun. */
  onHeader?: (header: RecordingHeader, file: string) => void;
}

/** @throws {RecordingError} a file is no recording, or of another host */
export function replay(input: ReplayInput): ReplayResult {
  const { host, policies, fromMs, toMs = Infinity } = input;
  const arms = policies.map((policy) => ({
    policy,
    replayer: new Replayer({ settings: policy.settings, ...(fromMs === undefined ? {} : { fromMs }) }),
  }));
  const problems: RecordingProblem[] = [];
  const differs = new Map<string, number>();
  for (const file of input.files) {
    for (const item of readRecording(file, (problem) => problems.push(problem))) {
      if (item.kind === "header") input.onHeader?.(item.header, file);
      else if (item.kind === "host") for (const { replayer } of arms) replayer.host(item.host);
      else if (item.sample.wallTimeMs >= toMs) break;
      else stepAll(arms, item.sample, differs, input.onStep);
    }
  }
  for (const { replayer } of arms) replayer.end();
  const differences = [...differs].map(([uuid, differsMs]) => ({ uuid, differsMs }));
  return { host, arms, differences, problems };
}

function stepAll(
  arms: readonly Arm[],
  sample: Sample,
  differs: Map<string, number>,
  onStep: ReplayInput["onStep"],
): void {
  const steps = arms.map((arm) => {
    const step = arm.replayer.sample(redeclared(sample, arm.policy.rules));
    if (step !== undefined) onStep?.(arm, step);
    return step;
  });
  const [one, other] = steps;
  if (one === undefined || other === undefined) return;
  // Both arms see the same guests, mostly in the same order.
  const classes = new Map(other.report.guests.map((guest) => [guest.uuid, guest.class]));
  for (const { uuid, class: list } of one.report.guests)
    if (classes.get(uuid) !== list) differs.set(uuid, (differs.get(uuid) ?? 0) + sample.periodMs);
}
