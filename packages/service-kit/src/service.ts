/** Life of a service process: start, stop on a signal, exit codes. */
import manifest from "../package.json" with { type: "json" };
import { createLogger } from "./log.ts";
import type { Logger } from "./log.ts";
import { isTracingConfigured } from "./tracing/configured.ts";
import { startTracing, stopTracing } from "./tracing/start.ts";
import type { RunningTracing } from "./tracing/start.ts";
import { TRACING_OFF } from "./tracing/tracing.ts";
import type { Tracing } from "./tracing/tracing.ts";
import type { TraceSource } from "./tracing/metrics.ts";

/** How long a stop may take before the process ends regardless, in milliseconds. */
const STOP_MS_MAX = 20_000;
/** How much of that the last traces may take, in milliseconds. */
const LAST_TRACES_MS_MAX = 2000;

export interface ServiceContext {
  log: Logger;
  /** Aborted when the service shall stop: SIGTERM, SIGINT, or the end of the supervisor that started it. */
  signal: AbortSignal;
  /** Calls back at each SIGHUP. */
  onReload(reload: () => void): void;
  /** Traces, and what became of them; off unless OTEL_* variables ask for them. */
  traces: TraceSource;
}

/**
 * Runs a service until it is told to stop. `main` returns when everything it started has been stopped.
 * Exit code 0: stopped as asked; 1: failed.
 */
export async function runService(
  name: string,
  main: (context: ServiceContext) => Promise<void>,
): Promise<void> {
  let tracing: Tracing = TRACING_OFF;
  const { env } = process;
  const log = createLogger(
    name,
    env["KVMGOV_LOG_LEVEL"] ?? "info",
    isTracingConfigured(env) ? () => tracing.logFields() : undefined,
  );
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
  const traces = await startTracing({ service: name, version: manifest.version, env, log });
  ({ tracing } = traces);
  try {
    await main({
      log,
      signal: stop.signal,
      onReload: (reload) => process.on("SIGHUP", reload),
      traces,
    });
    await end(traces, log);
  } catch (error) {
    await stopTracing(traces, LAST_TRACES_MS_MAX, log);
    fail(log, error);
  }
}

/** Everything is stopped: the process ends as soon as nothing is left to do. */
async function end(traces: RunningTracing, log: Logger): Promise<void> {
  process.exitCode = 0;
  const isAllSent = await stopTracing(traces, LAST_TRACES_MS_MAX, log);
  if (process.connected) process.disconnect();
  // An exporter that hangs would keep the process for as long as it tries.
  if (!isAllSent) process.exit();
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
