/**
 * A process that serves one page of metrics for the scrape benchmark, so that its CPU time and the delay of its event loop are its own.
 * Told what to serve and what to do over IPC; ends when the channel closes.
 */
import { monitorEventLoopDelay } from "node:perf_hooks";
import { createLogger, PageRegistry, Readiness, startPages } from "@kvm-governor/service-kit";
import { registerGuestFamilies } from "../../services/collector/src/metrics/guest-families.ts";
import type { GuestFigures } from "../../services/collector/src/metrics/guest-rows.ts";
import { guestsOf, measureHere } from "./farm-guests.ts";
import { record, replay, type Snapshot } from "./recorded-guests.ts";

export type Source =
  | { kind: "real"; vcpus: number; largest: number; farm: { pid: number; tids: readonly number[] } }
  | { kind: "recorded"; vcpus: number; snapshot: Snapshot };

export type Command = { serve: Source } | "tick" | "record" | "begin" | "end";

/** Between `begin` and `end`. */
export interface Cost {
  cpuMs: number;
  /** The longest time that the event loop kept others waiting. */
  loopDelayMs: number;
}

/** As in the collector. */
const SPLIT_MS_MAX = 4;
/** Of the timer that measures the delay; part of what it measures. */
const RESOLUTION_MS = 1;
const nowMs = (): number => performance.now();

let tick = (): void => undefined;
let figures: () => readonly GuestFigures[] = () => [];
let readSwitchSplit = (): void => undefined;
const loopDelay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let cpuFrom = process.cpuUsage();

async function serve(source: Source): Promise<string> {
  if (source.kind === "real") measureReal(source);
  else {
    const guests = replay(source.snapshot, source.vcpus);
    figures = () => guests;
  }
  const registry = new PageRegistry(nowMs);
  registerGuestFamilies({
    registry,
    guests: () => figures(),
    declare: () => ({ class: "auto" }),
    readSwitchSplit: () => readSwitchSplit(),
    onError: (family, error) => {
      throw new Error(family, { cause: error });
    },
  });
  const options = { title: "bench", readiness: new Readiness(), log: createLogger("bench", "silent") };
  const pages = await startPages({ listen: "127.0.0.1:0", registry, ...options });
  return `${pages.url}/metrics`;
}

function measureReal({ farm, vcpus, largest }: Extract<Source, { kind: "real" }>): void {
  const measuring = measureHere(nowMs);
  const guests = guestsOf(farm, vcpus, largest);
  tick = () => {
    measuring.sampler.tick({ guests, unreadable: [] }, () => ({ class: "auto" }));
    if (measuring.guests.last.readable.length !== guests.length)
      throw new Error("guests of the benchmark cannot be read");
  };
  figures = () => measuring.guests.last.readable;
  readSwitchSplit = () => void measuring.guests.readSwitchSplit(SPLIT_MS_MAX);
}

function begin(): void {
  loopDelay.enable();
  loopDelay.reset();
  cpuFrom = process.cpuUsage();
}

function end(): Cost {
  const { user, system } = process.cpuUsage(cpuFrom);
  loopDelay.disable();
  return { cpuMs: (user + system) / 1000, loopDelayMs: Math.max(0, loopDelay.max / 1e6 - RESOLUTION_MS) };
}

async function answer(command: Command): Promise<unknown> {
  if (typeof command === "object") return serve(command.serve);
  if (command === "tick") return tick();
  if (command === "record") return record(figures());
  return command === "begin" ? begin() : end();
}

process.on("message", (command: Command) => {
  void answer(command).then((result) => process.send?.({ result: result ?? null }));
});
process.on("disconnect", () => process.exit(0));
