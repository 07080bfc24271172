/** `kvmgov record`: stores samples as they arrive, for `kvmgov replay` (docs/recording-format.md). */
import path from "node:path";
import { settingsSchema } from "@kvm-governor/policy";
import type { Host, RecordingHeader, Sample } from "@kvm-governor/policy";
import { loadConfig } from "@kvm-governor/service-kit";
import manifest from "../../package.json" with { type: "json" };
import { natsLogin } from "../nats-login.ts";
import { Recorder } from "../recording/recorder.ts";
import { busSource, ownCollector } from "../recording/sources.ts";
import type { Listener, SampleSource } from "../recording/sources.ts";
import type { WriterOptions } from "../recording/writer.ts";
import { readReplayPolicy } from "../replay/policy.ts";
import { hostIdOf } from "../supervisor/host-id.ts";
import { visible } from "../supervisor/narrator.ts";
import { defaultPlaces } from "../supervisor/places.ts";
import { print } from "./asking.ts";

export interface RecordFlags {
  natsUrl?: string;
  host?: string;
  dir?: string;
  policy?: string;
  block: string;
  fileSize: string;
  fileAge: string;
  total: string;
  sync: "block" | "close";
  seconds?: string;
  json?: boolean;
}

/** What was asked for cannot be understood. */
export class RecordArgumentError extends Error {
  override readonly name = "RecordArgumentError";
}

const MIB = 1024 * 1024;
const TICK_MS = 500;

export async function record(flags: RecordFlags): Promise<number> {
  const { env } = process;
  const places = defaultPlaces(env, process.getuid?.() === 0);
  const dir = flags.dir ?? path.join(places.stateDir, "recordings");
  const say = (line: string): void => void (flags.json === true || process.stdout.write(`${line}\n`));
  const recorder = new Recorder({
    writer: { ...limitsOf(flags), dir, header: headerOf(flags, env), now: Date.now },
    host: flags.host,
    say: (line) => void process.stderr.write(`kvmgov: ${visible(line)}\n`),
    onFirst: (host) => say(`Recording host ${host} in ${dir}. Ctrl-C stops it.`),
  });
  const listener: Listener = {
    sample: (sample: Sample) => recorder.sample(sample),
    host: (host: Host) => recorder.host(host),
    problem: (text) => recorder.problem(text),
  };
  const stopped = untilStopped(flags);
  const source = await openSource(flags, listener, places.stateDir, say);
  say(`Listening to ${source.name}.`);
  const timer = setInterval(() => recorder.tick(), TICK_MS);
  await stopped;
  clearInterval(timer);
  await source.close();
  const result = recorder.close();
  if (flags.json === true) print([JSON.stringify({ dir, ...result })]);
  else
    say(
      `Stopped. ${result.samples} samples of ${result.hosts} hosts in ${result.files} files, ${result.bytes} bytes.`,
    );
  return result.lost === 0 && result.samples > 0 ? 0 : 1;
}

/** The file that KVMGOV_CONFIG names is a service's: it has keys that are not ours. */
function variables({ KVMGOV_CONFIG: _file, ...rest }: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return rest;
}

function openSource(
  flags: RecordFlags,
  listener: Listener,
  stateDir: string,
  say: (line: string) => void,
): Promise<SampleSource> {
  const { env } = process;
  const url = flags.natsUrl;
  if (url !== undefined) return Promise.resolve(busSource({ ...natsLogin(env), url }, listener));
  const { checkPeriodMs } = settingsOf(flags, env).settings;
  const hostId = flags.host ?? hostIdOf(env["KVMGOV_HOST_ID"], stateDir);
  return ownCollector({ hostId, checkPeriodMs, policyFile: env["KVMGOV_POLICY_FILE"], say }, listener);
}

/** From `--policy`, else from the environment as the classifier reads it; the file of the classifier is not read. */
function settingsOf(
  { policy }: RecordFlags,
  env: NodeJS.ProcessEnv,
): Pick<RecordingHeader, "settings" | "settingsFrom"> {
  if (policy !== undefined) return { settings: readReplayPolicy(policy).settings, settingsFrom: policy };
  return {
    settings: loadConfig(settingsSchema, { env: variables(env) }),
    settingsFrom: "environment and defaults",
  };
}

function headerOf(
  flags: RecordFlags,
  env: NodeJS.ProcessEnv,
): Omit<RecordingHeader, "format" | "startedAtMs" | "host"> {
  return { program: `kvmgov ${manifest.version}`, ...settingsOf(flags, env) };
}

function limitsOf(flags: RecordFlags): Pick<WriterOptions, "limits" | "sync"> {
  const limits = {
    blockMsMax: amount("--block", flags.block) * 1000,
    fileBytesMax: amount("--file-size", flags.fileSize) * MIB,
    fileAgeMsMax: amount("--file-age", flags.fileAge) * 3_600_000,
    totalBytesMax: amount("--total", flags.total) * MIB,
  };
  if (limits.totalBytesMax < 2 * limits.fileBytesMax)
    throw new RecordArgumentError(`--total ${flags.total}: is less than two files of ${flags.fileSize} MiB`);
  return { limits, sync: flags.sync };
}

function amount(option: string, text: string): number {
  const value = Number(text);
  if (Number.isFinite(value) && value > 0) return value;
  throw new RecordArgumentError(`${option} ${JSON.stringify(text)}: is no number above 0`);
}

function untilStopped({ seconds }: RecordFlags): Promise<void> {
  const afterMs = seconds === undefined ? undefined : amount("--seconds", seconds) * 1000;
  return new Promise((resolve) => {
    const timer = afterMs === undefined ? undefined : setTimeout(resolve, afterMs);
    const stop = (): void => {
      clearTimeout(timer);
      resolve();
    };
    process.once("SIGINT", stop);
    process.once("SIGTERM", stop);
  });
}
