/**
 * Runs until it is told to stop: plans as they come, and turns four times a second. Where changes are heard of, turns are made when they
 * come, with a plan, and every two seconds while it holds for long.
 */
import type { SystemdNotify } from "@kvm-governor/linux";
import type { Bus, Logger, Readiness } from "@kvm-governor/service-kit";
import type { Actuator } from "./actuator.ts";
import type { ChangeWatch } from "./change-watch.ts";
import { Pause } from "./pause.ts";
import { TURN_MS } from "./turn-time.ts";

export interface LoopOptions {
  actuator: Pick<Actuator, "turn" | "turnMs" | "receive">;
  bus: { plans: Pick<Bus["plans"], "watch"> };
  host: string;
  signal: AbortSignal;
  log: Logger;
  readiness: Readiness;
  /** Tells systemd that it is ready after the first turn, and alive after each: a turn that hangs is missed by its watchdog. */
  notify: SystemdNotify;
  changes: Pick<ChangeWatch, "ensure" | "onChange">;
}

/** What changes, changes in several steps within this time, in milliseconds: a file is written, then renamed. */
const SETTLE_MS = 20;
/** However often something changes, in milliseconds. */
const BETWEEN_TURNS_MS = 100;
/**
 * A plan wakes the process anyway: the next turn is made with it, so long after the last one at the earliest, in milliseconds. An idle process that
 * wakes once more costs as much as what it wakes for.
 */
const WITH_PLAN_MS = 900;

/** The watch is not waited for at the end: giving everything back must not depend on a server that may hang. */
export async function runLoop(options: LoopOptions): Promise<void> {
  const { actuator, signal, log, notify, changes } = options;
  const pause = new Pause();
  changes.onChange(() => pause.cut(SETTLE_MS, BETWEEN_TURNS_MS));
  watchPlans(options, pause).catch((error: unknown) => {
    log.error({ event: "watch-failed", err: error }, "no plans are watched any more");
  });
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    // Before the turn looks: what changes afterwards is heard of.
    const isHeard = changes.ensure();
    await attempt(options, () => actuator.turn());
    notify(isFirst ? "READY=1" : "WATCHDOG=1");
    await pause.wait(isHeard ? actuator.turnMs : Math.min(TURN_MS, actuator.turnMs), signal);
  }
  notify("STOPPING=1");
}

function watchPlans(
  { actuator, bus, host, signal, log, readiness }: LoopOptions,
  pause: Pause,
): Promise<void> {
  readiness.set("plans", true, "no plan yet");
  return bus.plans.watch(
    host,
    signal,
    ({ data }) => {
      readiness.set("plans", true, "watched");
      // The plan that it followed when the pause began may have held for longer.
      void attempt({ log }, () => actuator.receive(data)).then(() => {
        pause.cut(actuator.turnMs);
        pause.cut(0, WITH_PLAN_MS);
      });
    },
    (error) => readiness.set("plans", false, error.message),
  );
}

/** What one turn or plan fails at is said, and the loop goes on: the switch must still fire. */
async function attempt({ log }: Pick<LoopOptions, "log">, task: () => Promise<void>): Promise<void> {
  try {
    await task();
  } catch (error) {
    log.error({ event: "turn-failed", err: error }, (error as Error).message);
  }
}
