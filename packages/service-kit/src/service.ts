/** Life of a service process: start, stop on a signal, exit codes. */
import { createLogger } from "./log.ts";
import type { Logger } from "./log.ts";

/** How long a stop may take before the process ends regardless, in milliseconds. */
const STOP_MS_MAX = 20_000;

export interface ServiceContext {
  log: Logger;
  /** Aborted when the service shall stop: SIGTERM, SIGINT, or the end of the supervisor that started it. */
  signal: AbortSignal;
  /** Calls back at each SIGHUP. */
  onReload(reload: () => void): void;
}

/**
 * Runs a service until it is told to stop. `main` returns when everything it started has been stopped.
 * Exit code 0: stopped as asked; 1: failed.
 */
export async function runService(
  name: string,
  main: (context: ServiceContext) => Promise<void>,
): Promise<void> {
  const log = createLogger(name, process.env["KVMGOV_LOG_LEVEL"] ?? "info");
  const stop = new AbortController();
  const requestStop = (why: string): void => {
    if (stop.signal.aborted) return;
    log.info({ event: "stopping", why }, `${name} stops: ${why}`);
    stop.abort();
    setTimeout(
      () => fail(log, new Error(`${name} did not stop within ${STOP_MS_MAX} ms`)),
      STOP_MS_MAX,
    ).unref();
  };
  process.on("SIGTERM", () => requestStop("SIGTERM"));
  process.on("SIGINT", () => requestStop("SIGINT"));
  // The supervisor keeps an IPC channel open: its end, also by SIGKILL, closes it.
  process.on("disconnect", () => requestStop("the supervisor is gone"));
  process.on("unhandledRejection", (reason) => fail(log, reason));
  process.on("uncaughtException", (error) => fail(log, error));
  try {
    await main({ log, signal: stop.signal, onReload: (reload) => process.on("SIGHUP", reload) });
    process.exitCode = 0;
    if (process.connected) process.disconnect();
  } catch (error) {
    fail(log, error);
  }
}

function fail(log: Logger, reason: unknown): never {
  const error = reason instanceof Error ? reason : new Error(String(reason));
  log.fatal({ event: "failed", err: error }, error.message);
  process.exit(1);
}

/** Resolves when the signal is aborted. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
}
