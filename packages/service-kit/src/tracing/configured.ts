/** Whether the environment asks for traces, by the variables of the OpenTelemetry specification. */

export type Environment = Readonly<Record<string, string | undefined>>;

/** Any of these, with a value, is a place to send traces to. */
const ENDPOINTS = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];

/**
 * Off where `OTEL_SDK_DISABLED` is `true` or `OTEL_TRACES_EXPORTER` begins with `none`; on where an exporter or an endpoint is named. The
 * specification would send to localhost where nothing is said: here that is off. An empty variable counts as absent.
 */
export function isTracingConfigured(env: Environment): boolean {
  if (valueOf(env, "OTEL_SDK_DISABLED").toLowerCase() === "true") return false;
  const exporter = valueOf(env, "OTEL_TRACES_EXPORTER");
  if (exporter !== "") return exporter.split(",")[0]?.trim() !== "none";
  return ENDPOINTS.some((name) => valueOf(env, name) !== "");
}

function valueOf(env: Environment, name: string): string {
  return env[name]?.trim() ?? "";
}
