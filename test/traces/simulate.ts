/**
 * Plays a trace set as the samples of one host, every T_check. Nothing is added: a value holds for its whole interval, every
 * vCPU runs alike and never waits, the host has CPUs for all.
 */
import type { GuestSample, Sample, Settings } from "@kvm-governor/policy";
import { Replayer } from "../../packages/cli/src/replay/replayer.ts";
import type { TraceGuest, TraceSet } from "./trace-set.ts";

const BOOT = "0b5a7a0e-0001-4000-8000-000000000001";
/** Midnight UTC. */
export const BEGIN_MS = Date.UTC(2026, 0, 5);

/** A guest with the sample it gives while its value stays. */
interface Playing {
  trace: TraceGuest;
  uuid: string;
  pid: number;
  interval: number;
  sample: GuestSample | undefined;
}

/** @param untilS end of the simulated time; by default when the last guest is gone */
export function* samplesOf(set: TraceSet, checkPeriodMs: number, untilS = endOf(set)): Generator<Sample> {
  const guests = set.guests.map((trace, n) => playing(trace, n + 1));
  const cores = set.guests.reduce((sum, { vcpus }) => sum + vcpus, 0);
  const cpus = Array.from({ length: Math.min(4096, cores) }, (_, cpu) => cpu);
  const ticks = Math.floor((untilS * 1000) / checkPeriodMs);
  for (let tick = 1; tick <= ticks; tick++) {
    const atMs = tick * checkPeriodMs;
    yield {
      schema: 1,
      host: set.name,
      bootId: BOOT,
      sequence: atMs * 1000,
      wallTimeMs: BEGIN_MS + atMs,
      periodMs: checkPeriodMs,
      cpus,
      hostRun: 0,
      guests: guests
        .map((each) => sampleAt(each, (atMs - checkPeriodMs) / 1000))
        .filter((each) => each !== undefined),
      unreadable: [],
    };
  }
}

/** decide() over all of a set. */
export function simulate(set: TraceSet, settings: Settings, untilS?: number): Replayer {
  const replayer = new Replayer({ settings });
  for (const sample of samplesOf(set, settings.checkPeriodMs, untilS)) replayer.sample(sample);
  replayer.end();
  return replayer;
}

function endOf({ guests }: TraceSet): number {
  return guests.reduce(
    (end, { beginS, intervalS, use }) => Math.max(end, beginS + intervalS * use.length),
    0,
  );
}

function playing(trace: TraceGuest, n: number): Playing {
  const uuid = `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`;
  return { trace, uuid, pid: 1000 + n, interval: -1, sample: undefined };
}

/** What a guest does in the period that begins then; undefined: it is not there. */
function sampleAt(guest: Playing, fromS: number): GuestSample | undefined {
  const { trace, uuid, pid } = guest;
  const interval = Math.floor((fromS - trace.beginS) / trace.intervalS);
  if (interval === guest.interval) return guest.sample;
  guest.interval = interval;
  const run = interval < 0 ? undefined : trace.use[interval];
  guest.sample =
    run === undefined
      ? undefined
      : {
          uuid,
          name: trace.name,
          pid,
          startTime: pid,
          state: "running",
          declared: { class: "auto" },
          vcpus: Array.from({ length: trace.vcpus }, (_, index) => ({ index, run, delay: 0 })),
          otherRun: 0,
        };
  return guest.sample;
}
