/** One run of the schedule on the guests, with a manager at work or without. */
import { setTimeout as sleep } from "node:timers/promises";
import type { ArmRecord, Reading } from "./arm-record.ts";
import { GuestMeter, readHostIdleNs } from "./kernel-meter.ts";
import { Recorder } from "./recorder.ts";
import type { Schedule } from "./schedule.ts";
import type { Actor } from "./stage.ts";

export interface ArmOptions {
  actors: readonly Actor[];
  schedule: Schedule;
  /** UUIDs in LIST_sc; absent: nobody manages. */
  scientificList?: () => Promise<ReadonlySet<string>>;
  /** Hears every second how far the run is and what the guests did. */
  onTick: (tick: ArmTick) => void;
  signal: AbortSignal;
}

export interface ArmTick {
  elapsedMs: number;
  lengthMs: number;
  reading: Reading;
  /** Rounds completed since their start, by guest name. */
  rounds: ReadonlyMap<string, number>;
  /** UUIDs in LIST_sc at the last look. */
  scientific: ReadonlySet<string> | undefined;
}

const TICK_MS = 1000;
/** How often the lists are looked at: while a move is due, and else. */
const LOOK_MS = { due: 20, else: 250 };

/** @throws AbortError of the signal; {LabError} {RedisError} a guest or the store does not answer */
export async function runArm(options: ArmOptions): Promise<ArmRecord> {
  const { actors } = options;
  const meters = new Map(actors.map(({ name, guest }) => [name, new GuestMeter(guest.vcpuTids)]));
  const meter = (name: string): GuestMeter => {
    const found = meters.get(name);
    if (found === undefined) throw new Error(`no guest ${name}`);
    return found;
  };
  const read = (): Reading => ({
    guests: new Map([...meters].map(([name, each]) => [name, each.read()])),
    hostIdleNs: readHostIdleNs(),
  });
  const recorder = new Recorder(
    { read, readGuest: (name) => meter(name).read(), nowMs: () => performance.now() },
    options.scientificList !== undefined,
  );
  const stop = new AbortController();
  const signal = AbortSignal.any([options.signal, stop.signal]);
  const startMs = performance.now();
  const lists = { scientific: undefined as ReadonlySet<string> | undefined };
  const loops = [
    play(options, recorder, startMs, signal),
    watchLists(options, recorder, lists, signal),
    tickEverySecond(options, recorder, { startMs, read, lists }, signal),
  ];
  try {
    await Promise.race(loops);
    return recorder.record;
  } finally {
    stop.abort();
    await Promise.allSettled(loops);
    for (const each of meters.values()) each.close();
  }
}

async function play(
  options: ArmOptions,
  recorder: Recorder,
  startMs: number,
  signal: AbortSignal,
): Promise<void> {
  const actors = new Map(options.actors.map((actor) => [actor.name, actor]));
  for (const step of options.schedule.steps) {
    await until(startMs + step.atMs, signal);
    const actor = actors.get(step.guest);
    if (actor === undefined) throw new Error(`nobody plays ${step.guest}`);
    if (step.kind === "settled") recorder.settled(actor);
    else {
      recorder.loadSet(actor, step.percent, () => actor.guest.load.setLoad(step.percent));
      if (actor.role === "scientific" && step.percent === 0) void awaitRest(actor, recorder);
    }
  }
  await until(startMs + options.schedule.lengthMs, signal);
}

/** It answers in the order in which it is asked. Who never answers is noticed by who asks for its work every second. */
async function awaitRest(actor: Actor, recorder: Recorder): Promise<void> {
  const answer = await actor.guest.load.work().catch(() => undefined);
  if (answer !== undefined) recorder.hasRested();
}

async function until(atMs: number, signal: AbortSignal): Promise<void> {
  const left = atMs - performance.now();
  if (left > 0) await sleep(left, undefined, { signal });
  else signal.throwIfAborted();
}

/** Never ends by itself. */
async function watchLists(
  options: ArmOptions,
  recorder: Recorder,
  lists: { scientific: ReadonlySet<string> | undefined },
  signal: AbortSignal,
): Promise<never> {
  const scientific = options.actors.find(({ role }) => role === "scientific")?.guest.uuid ?? "";
  for (;;) {
    if (options.scientificList !== undefined) {
      lists.scientific = await options.scientificList();
      recorder.membership(lists.scientific.has(scientific));
    }
    await sleep(recorder.awaitsMove ? LOOK_MS.due : LOOK_MS.else, undefined, { signal });
  }
}

/** Never ends by itself. */
async function tickEverySecond(
  options: ArmOptions,
  recorder: Recorder,
  run: { startMs: number; read: () => Reading; lists: { scientific: ReadonlySet<string> | undefined } },
  signal: AbortSignal,
): Promise<never> {
  const { actors, schedule, onTick } = options;
  for (let tick = 0; ; tick++) {
    await until(run.startMs + tick * TICK_MS, signal);
    const rounds = new Map(
      await Promise.all(
        actors.map(async ({ name, guest }) => [name, (await guest.load.work()).rounds] as const),
      ),
    );
    const atMs = performance.now();
    const scientific = actors.find(({ role }) => role === "scientific")?.name ?? "";
    recorder.progress({ atMs, rounds: rounds.get(scientific) ?? 0 });
    onTick({
      elapsedMs: atMs - run.startMs,
      lengthMs: schedule.lengthMs,
      reading: run.read(),
      rounds,
      scientific: run.lists.scientific,
    });
  }
}
