/** Start and end of traces in a service. */
import type { Logger } from "../log.ts";
import { isTracingConfigured } from "./configured.ts";
import type { Environment } from "./configured.ts";
import { NO_COUNTS } from "./export-health.ts";
import type { ExportCounts } from "./export-health.ts";
import { TRACING_OFF } from "./tracing.ts";
import type { Tracing } from "./tracing.ts";

export interface TracingOptions {
  /** Name of the service, as in its log. */
  service: string;
  version: string;
  env: Environment;
  log: Logger;
}

/** Tracing that was started and is to be stopped. */
export interface RunningTracing {
  tracing: Tracing;
  /** What became of spans so far. */
  counts: () => Promise<ExportCounts>;
  /** Sends what waits. May take as long as the exporter does, and may fail as it does. */
  stop: () => Promise<void>;
}

const NOT_RUNNING: RunningTracing = {
  tracing: TRACING_OFF,
  counts: () => Promise.resolve(NO_COUNTS),
  stop: () => Promise.resolve(),
};

/**
 * Starts tracing where the environment asks for it, and loads what it takes only then. A configuration that cannot be used is an error in
 * the log: a service does its work without traces.
 */
export async function startTracing(options: TracingOptions): Promise<RunningTracing> {
  const { env, log } = options;
  if (!isTracingConfigured(env)) return NOT_RUNNING;
  try {
    const { startSdk } = await import("./sdk.ts");
    const running = startSdk(options);
    log.info({ event: "tracing" }, "traces are sent by OpenTelemetry, as OTEL_* variables say");
    return running;
  } catch (error) {
    log.error({ event: "tracing-failed", err: error }, `no traces: ${(error as Error).message}`);
    return NOT_RUNNING;
  }
}

/**
 * Stops, and waits for what is to be sent for at most `msMax` milliseconds.
 * @returns false: something may still be on its way and keep the process from ending by itself
 */
export async function stopTracing(running: RunningTracing, msMax: number, log: Logger): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<false>((resolve) => (timer = setTimeout(() => resolve(false), msMax)));
  const stopped = running.stop().then(
    () => true as const,
    (error: unknown) => {
      log.warn(
        { event: "traces-lost", err: error },
        `the last traces were not sent: ${(error as Error).message}`,
      );
      return true as const;
    },
  );
  const isDone = await Promise.race([stopped, late]);
  clearTimeout(timer);
  if (!isDone) {
    log.warn({ event: "traces-lost" }, `the last traces were not sent within ${msMax} ms`);
  }
  return isDone;
}
