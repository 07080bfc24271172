/**
 * The Node SDK of OpenTelemetry, set up by the environment. Loaded only where that asks for traces: it takes a fifth of a second
 * and some 35 MB.
 */
import { diag, DiagLogLevel, isSpanContextValid, trace } from "@opentelemetry/api";
import { core, NodeSDK, resources } from "@opentelemetry/sdk-node";
import { ATTR_SERVICE_NAME, ATTR_SERVICE_VERSION } from "@opentelemetry/semantic-conventions";
import type { Logger } from "../log.ts";
import { ExportHealth } from "./export-health.ts";
import type { ExportCounts } from "./export-health.ts";
import { OtelTracing } from "./otel-tracing.ts";
import { SelfMetrics } from "./self-metrics.ts";
import type { RunningTracing, TracingOptions } from "./start.ts";

/** How often losses are looked for while nobody scrapes. */
const LOOK_EVERY_MS = 5000;

/** The variables ask for traces, and leave nothing to send them by. */
export class NoExporterError extends Error {
  override readonly name = "NoExporterError";
}

/** @throws {NoExporterError} */
export function startSdk({ service, version, env, log }: TracingOptions): RunningTracing {
  listenToSdk(log);
  // The switch for the SDK's own counts is a variable; it has no option.
  process.env["OTEL_NODE_EXPERIMENTAL_SDK_METRICS"] = "true";
  const selfMetrics = new SelfMetrics();
  const sdk = new NodeSDK({
    resource: resourceOf(service, version, env),
    // The others tell the command line and the id of the machine.
    ...(!env["OTEL_NODE_RESOURCE_DETECTORS"] && { resourceDetectors: [resources.envDetector] }),
    // A host may say which trace it belongs to, and no more: no baggage.
    textMapPropagator: new core.W3CTraceContextPropagator(),
    // Metrics are Prometheus', logs are standard output's.
    metricReaders: [selfMetrics],
    views: [...SelfMetrics.views],
    logRecordProcessors: [],
  });
  sdk.start();
  // The SDK takes its own logger where OTEL_LOG_LEVEL is set: that prints plain lines between ours.
  listenToSdk(log);
  const health = new ExportHealth(log);
  core.setGlobalErrorHandler((error) => health.failed(textOf(error)));
  const look = async (): Promise<ExportCounts> => {
    try {
      health.update(await selfMetrics.read());
    } catch (error) {
      log.debug({ event: "trace-counts-unknown", err: error }, "counts of spans could not be read");
    }
    return health.counts;
  };
  const looking = setInterval(() => void look(), LOOK_EVERY_MS);
  looking.unref();
  const tracer = trace.getTracer(`kvm-governor/${service}`, version);
  // Without an exporter the SDK registers nothing, and spans have no identity.
  if (!isSpanContextValid(tracer.startSpan("probe").spanContext())) {
    clearInterval(looking);
    throw new NoExporterError(
      `OTEL_TRACES_EXPORTER=${env["OTEL_TRACES_EXPORTER"]} names no exporter that is known`,
    );
  }
  return {
    tracing: new OtelTracing(tracer),
    counts: look,
    stop: async () => {
      clearInterval(looking);
      await sdk.shutdown();
    },
  };
}

/** What OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES say ranks above this: the SDK merges them over it. */
function resourceOf(
  service: string,
  version: string,
  env: TracingOptions["env"],
): ReturnType<typeof resources.resourceFromAttributes> {
  return resources.defaultResource().merge(
    resources.resourceFromAttributes({
      [ATTR_SERVICE_NAME]: `kvmgov-${service}`,
      [ATTR_SERVICE_VERSION]: version,
      "service.namespace": "kvm-governor",
      ...(env["KVMGOV_HOST_ID"] && { "kvmgov.host": env["KVMGOV_HOST_ID"] }),
    }),
  );
}

/** What the SDK has to say about its configuration, as lines of our log. */
function listenToSdk(log: Logger): void {
  const say =
    (level: "error" | "warn" | "debug") =>
    (message: string): void =>
      log[level]({ event: "opentelemetry", detail: message }, `OpenTelemetry: ${message}`);
  const logger = {
    error: say("error"),
    warn: say("warn"),
    info: say("debug"),
    debug: () => undefined,
    verbose: () => undefined,
  };
  diag.setLogger(logger, { logLevel: DiagLogLevel.WARN, suppressOverrideMessage: true });
}

/** Errors of the exporter: code and message of the connection, or status and text of the receiver. */
function textOf(error: unknown): string {
  if (typeof error === "string") return error;
  const { message, code } = error as { message?: string; code?: string | number };
  return (
    [code, message]
      .filter((part) => part !== undefined && part !== "")
      .join(" ")
      .slice(0, 256) || "no reason given"
  );
}
