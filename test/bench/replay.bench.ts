/**
 * `kvmgov replay`: samples a second of a recorded host of 50 guests x 4 vCPUs, and what memory grows by with the length of
 * the recording. `read` unpacks and checks; `replay` decides as well; `compare` decides under two policies.
 */
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { spawnSync } from "node:child_process";
import { presetSettings, settingsSchema } from "@kvm-governor/policy";
import type { Sample } from "@kvm-governor/policy";
import { readRecording } from "../../packages/cli/src/recording/reader.ts";
import { RecordingWriter } from "../../packages/cli/src/recording/writer.ts";
import { recordingsIn } from "../../packages/cli/src/recording/writer.ts";
import { replay } from "../../packages/cli/src/replay/run.ts";
import { guestSample, sampleOf } from "../../services/classifier/src/testing/samples.ts";
import { Seeded } from "../support/seeded.ts";
import { atLeast, below, runBench } from "./harness.ts";
import type { Figures } from "./harness.ts";

const GUESTS = 50;
const VCPUS = 4;
const CPUS = 64;
const HOST = "bench";
/** Samples of a round, and of the long recording that memory is compared on. */
const SAMPLES = 900;
const TIMES_LONGER = 8;
/** Heap that the command gets: whoever gathers samples runs out of it. */
const HEAP_MB = 64;
/** A week at T_check 1 s in ten minutes. */
const AIM_SAMPLES_PER_S = 1008;

/** Amounts of six digits, as collectors send them: they are most of what a recording holds. */
function* samples(count: number): Generator<Sample> {
  const seed = new Seeded(2026);
  const random = (): number => seed.next();
  const amount = (most: number): number => Math.round(random() * most * 1e6) / 1e6;
  const cpus = Array.from({ length: CPUS }, (_, cpu) => cpu);
  for (let tick = 1; tick <= count; tick++) {
    const guests = Array.from({ length: GUESTS }, (_, n) => {
      const computes = n % 5 === 0 && Math.floor((tick + n * 30) / 250) % 2 === 0;
      const sample = guestSample(n, { run: 0, vcpus: VCPUS });
      const vcpus = sample.vcpus.map((vcpu) => ({
        ...vcpu,
        run: computes ? 0.9 + amount(0.1) : amount(0.3),
        delay: amount(0.05),
        switches: Math.floor(random() * 900),
        migrations: Math.floor(random() * 20),
      }));
      return { ...sample, vcpus, otherRun: amount(0.02) };
    });
    yield sampleOf(HOST, tick, guests, { cpus, hostRun: amount(1) });
  }
}

function recordingOf(dir: string, count: number): string {
  let nowMs = Date.UTC(2026, 0, 5);
  const writer = new RecordingWriter({
    dir,
    header: { host: HOST, program: "bench", settings: settingsSchema.parse({}), settingsFrom: "bench" },
    limits: { blockMsMax: 10_000, fileBytesMax: 1e9, fileAgeMsMax: 1e9, totalBytesMax: 1e10 },
    sync: "close",
    now: () => nowMs,
  });
  for (const sample of samples(count)) {
    nowMs += 1000;
    writer.addSample(sample);
  }
  writer.close();
  const [file = ""] = recordingsIn(dir);
  return file;
}

const onProblem = (): void => undefined;
const policy = (preset: "default" | "paper") => ({
  name: preset,
  settings: presetSettings(preset),
  rules: [],
});

function timed(work: () => number): Figures {
  const cpuBefore = process.cpuUsage();
  const start = process.hrtime.bigint();
  const count = work();
  const seconds = Number(process.hrtime.bigint() - start) / 1e9;
  const cpu = process.cpuUsage(cpuBefore);
  if (count !== SAMPLES) throw new Error(`${count} samples of ${SAMPLES} were replayed`);
  return {
    samples_per_s: count / seconds,
    // What it would be on a machine without other load.
    samples_per_cpu_s: (count * 1e6) / (cpu.user + cpu.system),
    week_minutes: (604_800 * seconds) / count / 60,
  };
}

/** Largest resident set of the command itself. */
function peakMb(file: string): number {
  const main = path.join(import.meta.dirname, "../../packages/cli/src/main.ts");
  const script = `const args = ["replay", "--quiet", process.argv[1]];
    const { program } = await import(${JSON.stringify(main)});
    await program.parseAsync(args, { from: "user" });
    process.stderr.write("peak " + process.resourceUsage().maxRSS);`;
  const args = [`--max-old-space-size=${HEAP_MB}`, "--input-type=module", "-e", script, file];
  const child = spawnSync(process.execPath, args, {
    encoding: "utf8",
  });
  const found = /peak (\d+)/.exec(child.stderr);
  if (child.status !== 0 || found === null) throw new Error(`replay failed: ${child.stderr}`);
  return Number(found[1]) / 1024;
}

const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-bench-replay-"));
try {
  const file = recordingOf(path.join(dir, "short"), SAMPLES);
  const long = recordingOf(path.join(dir, "long"), SAMPLES * TIMES_LONGER);
  const arms = [
    {
      name: "read",
      measure: () =>
        timed(() => {
          let count = 0;
          for (const { kind } of readRecording(file, onProblem)) count += Number(kind === "sample");
          return count;
        }),
    },
    {
      name: "replay",
      measure: () =>
        timed(() => {
          const [arm] = replay({ host: HOST, files: [file], policies: [policy("default")] }).arms;
          return arm?.replayer.figures.samples ?? 0;
        }),
    },
    {
      name: "compare",
      measure: () =>
        timed(() => {
          const { arms } = replay({
            host: HOST,
            files: [file],
            policies: [policy("default"), policy("paper")],
          });
          return arms[1]?.replayer.figures.samples ?? 0;
        }),
    },
    {
      name: "memory",
      isAlone: true,
      rounds: 3,
      measure: () => {
        const [short_mb, long_mb] = [peakMb(file), peakMb(long)];
        return { short_mb, long_mb, long_to_short: long_mb / short_mb };
      },
    },
    {
      name: "size",
      measure: () => ({ bytes_per_sample: statSync(long).size / (SAMPLES * TIMES_LONGER) }),
    },
  ];
  await runBench({
    name: "replay",
    rounds: 8,
    warmUpRounds: 1,
    arms,
    aims: (result) => [
      atLeast(
        `samples a second of ${GUESTS} guests x ${VCPUS} vCPUs (a week in ten minutes)`,
        AIM_SAMPLES_PER_S,
        result("replay", "samples_per_s").median,
      ),
      below(
        `memory of a recording ${TIMES_LONGER} times as long, against the short one`,
        1.25,
        result("memory", "long_to_short").median,
      ),
    ],
  });
} finally {
  rmSync(dir, { recursive: true });
}
