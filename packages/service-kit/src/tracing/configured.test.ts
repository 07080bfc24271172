import { expect, it } from "@jest/globals";
import { isTracingConfigured } from "./configured.ts";

const OTLP = { OTEL_EXPORTER_OTLP_ENDPOINT: "http://127.0.0.1:4318" };

it.each([
  [{}, false],
  [{ OTEL_SERVICE_NAME: "x", OTEL_TRACES_SAMPLER: "always_on" }, false],
  [{ OTEL_EXPORTER_OTLP_ENDPOINT: "", OTEL_TRACES_EXPORTER: " " }, false],
  [OTLP, true],
  [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: "http://127.0.0.1:4318/v1/traces" }, true],
  [{ OTEL_TRACES_EXPORTER: "otlp" }, true],
  [{ ...OTLP, OTEL_TRACES_EXPORTER: "none" }, false],
  [{ ...OTLP, OTEL_SDK_DISABLED: "true" }, false],
  [{ ...OTLP, OTEL_SDK_DISABLED: "TRUE" }, false],
  [{ ...OTLP, OTEL_SDK_DISABLED: "false" }, true],
  [{ ...OTLP, OTEL_SDK_DISABLED: "" }, true],
])("%j asks for traces: %p", (env, isAsked) => {
  expect(isTracingConfigured(env)).toBe(isAsked);
});
