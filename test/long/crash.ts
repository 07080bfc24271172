/**
 * The crash test in its long form: `node test/long/crash.ts [--trials N] [--minutes N] [--lanes N] [--seed N]`; writes docs/crash-test.md. Needs what the end-to-end
 * tests need: root, /dev/kvm, cgroup v1.
 */
import { writeFileSync } from "node:fs";
import os from "node:os";
import { parseArgs } from "node:util";
import { startLibvirt } from "@kvm-governor/lab";
import { machineOf } from "../bench/machine.ts";
import { ActuatorBench } from "../support/actuator-bench.ts";
import { summaryOf, type CrashSummary } from "../support/crash-summary.ts";
import { CrashTrials, type Trial } from "../support/crash-trials.ts";
import { Seeded } from "../support/seeded.ts";

const { values } = parseArgs({
  options: {
    trials: { type: "string", default: "300" },
    minutes: { type: "string", default: "60" },
    lanes: { type: "string", default: "3" },
    seed: { type: "string", default: String(Date.now() % 2 ** 31) },
  },
});
const count = Number(values.trials);
const lanes = Number(values.lanes);
const seed = Number(values.seed);
const from = Date.now();
const untilMs = from + Number(values.minutes) * 60_000;

const trials: Trial[] = [];
await Promise.all(Array.from({ length: lanes }, (_, lane) => runLane(lane)));
const summary = summaryOf(trials);
writeFileSync(new URL("../../docs/crash-test.md", import.meta.url), pageOf(summary));
const isGood =
  trials.length >= count && summary.restored === trials.length && 3 * summary.inBetween >= trials.length;
console.log(JSON.stringify({ seed, isGood, ...summary }));
process.exitCode = isGood ? 0 : 1;

/** Lanes share the machine and nothing else: each has a libvirt, guests, a NATS and actuators of its own. */
async function runLane(lane: number): Promise<void> {
  await using libvirt = await startLibvirt();
  await using bench = await ActuatorBench.start();
  const crash = new CrashTrials(bench, libvirt, new Seeded(seed + lane));
  await crash.setUp();
  // Moments are random: where too few of them lay in between, some more are tried, at most half as many again.
  const isEnough = (at: number): boolean => at >= count && 3 * summaryOf(trials).inBetween >= trials.length;
  for (let at = lane; !isEnough(at) && at < 1.5 * count && Date.now() < untilMs; at += lanes) {
    const trial = await crash.run();
    trials.push(trial);
    if (trial.different.length > 0) console.log(JSON.stringify({ trial: trials.length, lane, ...trial }));
    if (trials.length % 25 === 0)
      console.log(`${trials.length} of ${count}: ${JSON.stringify(summaryOf(trials))}`);
  }
}

function pageOf(result: CrashSummary): string {
  const { cpus, kernel, node } = machineOf(os);
  const lines = (counts: Record<string, number>): string =>
    Object.entries(counts)
      .toSorted(([a], [b]) => a.localeCompare(b))
      .map(([what, n]) => `${what} ${n}`)
      .join(", ");
  const part = (n: number): string => `${n} of ${result.trials} (${Math.round((100 * n) / result.trials)}%)`;
  return `# Crash test

Written by \`node test/long/crash.ts --trials ${count} --lanes ${lanes} --seed ${seed}\` on ${new Date(from).toISOString().slice(0, 10)}, in
${Math.round((Date.now() - from) / 1000)} s, on Linux ${kernel} (cgroup v1) with ${cpus} CPUs, Node ${node}. The same test runs ${30} times in \`npm test\`.

Five real KVM guests of a real libvirt, with baselines of their own: quota, period and shares set by libvirt, a pinned vCPU, a vCPU
with an affinity that libvirt does not know about, I/O threads, several vCPUs. Every tick changes everything that can be changed about
every guest. The actuator is struck at a random moment; then somebody restores; then every control file and affinity is compared with
what it was before, byte for byte, by code that shares nothing with the actuator's.

${trials.length < count ? `**Cut short by its time limit: ${trials.length} of ${count} trials.**\n\n` : ""}| | |
|---|---|
| every file and affinity equals the baseline | **${part(result.restored)}** |
| struck between a tick's first and last write | ${part(result.inBetween)} |
| a guest destroyed and started again before anybody restored, and not written to | ${result.restartedGuests} |
| struck by | ${lines(result.bySignal)} |
| restored by | ${lines(result.byRescue)} |
| kernel's state when struck | ${lines(result.byMoment)} |

"In between" is what the kernel said after the strike: neither the baseline nor one of the two plans. "wake": the frozen actuator
itself, woken after its plan was void. "guard": \`takeOver\`, as the supervisor does it.
`;
}
