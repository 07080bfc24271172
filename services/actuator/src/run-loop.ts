/** Runs until it is told to stop: plans as they come, turns at least four times a second. */
import type { SystemdNotify } from "@kvm-governor/linux";
import type { Bus, Logger, Readiness } from "@kvm-governor/service-kit";
import type { Actuator } from "./actuator.ts";

export interface LoopOptions {
  actuator: Actuator;
  bus: Bus;
  host: string;
  signal: AbortSignal;
  log: Logger;
  readiness: Readiness;
  /** Tells systemd that it is ready after the first turn, and alive after each: a turn that hangs is missed by its watchdog. */
  notify: SystemdNotify;
}

/** The watch is not waited for at the end: giving everything back must not depend on a server that may hang. */
export async function runLoop(options: LoopOptions): Promise<void> {
  const { actuator, signal, log, notify } = options;
  watchPlans(options).catch((error: unknown) => {
    log.error({ event: "watch-failed", err: error }, "no plans are watched any more");
  });
  for (let isFirst = true; !signal.aborted; isFirst = false) {
    await attempt(options, () => actuator.turn());
    notify(isFirst ? "READY=1" : "WATCHDOG=1");
    await pause(actuator.turnMs, signal);
  }
  notify("STOPPING=1");
}

function watchPlans({ actuator, bus, host, signal, log, readiness }: LoopOptions): Promise<void> {
  readiness.set("plans", true, "no plan yet");
  return bus.plans.watch(
    host,
    signal,
    ({ data }) => {
      readiness.set("plans", true, "watched");
      void attempt({ log }, () => actuator.receive(data));
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

/** An aborted pause is the end of the loop, not an error. */
function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer);
      signal.removeEventListener("abort", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    signal.addEventListener("abort", done, { once: true });
  });
}
