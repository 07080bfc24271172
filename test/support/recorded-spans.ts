/** Traces that stay in this process, for tests of single parts: the SDK as it is, with an exporter into memory. */
import { trace } from "@opentelemetry/api";
import { NodeSDK, tracing as sdkTracing } from "@opentelemetry/sdk-node";
import { OtelTracing } from "../../packages/service-kit/src/tracing/otel-tracing.ts";

type ReadableSpan = ReturnType<sdkTracing.InMemorySpanExporter["getFinishedSpans"]>[number];

/** One in a process at a time: OpenTelemetry's API is global. */
export class RecordedSpans implements AsyncDisposable {
  readonly tracing: OtelTracing;
  readonly #exporter = new sdkTracing.InMemorySpanExporter();
  readonly #sdk: NodeSDK;

  constructor(sampler: sdkTracing.Sampler = new sdkTracing.AlwaysOnSampler()) {
    this.#sdk = new NodeSDK({
      autoDetectResources: false,
      metricReaders: [],
      logRecordProcessors: [],
      sampler,
      spanProcessors: [new sdkTracing.SimpleSpanProcessor(this.#exporter)],
    });
    this.#sdk.start();
    this.tracing = new OtelTracing(trace.getTracer("test"));
  }

  /** Spans that have ended, in the order of their end. */
  get spans(): readonly ReadableSpan[] {
    return this.#exporter.getFinishedSpans();
  }

  get names(): string[] {
    return this.spans.map(({ name }) => name);
  }

  named(name: string): ReadableSpan[] {
    return this.spans.filter((span) => span.name === name);
  }

  /** Name of the span that another is a child of; undefined where it is the first of its trace. */
  parentOf({ parentSpanContext }: ReadableSpan): string | undefined {
    return this.spans.find((span) => span.spanContext().spanId === parentSpanContext?.spanId)?.name;
  }

  reset(): void {
    this.#exporter.reset();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sdk.shutdown();
    trace.disable();
  }
}
