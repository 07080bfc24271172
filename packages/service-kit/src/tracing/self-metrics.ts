/** The SDK's own count of what became of spans (`otel.sdk.processor.span.processed`), read when somebody asks. */
import { metrics } from "@opentelemetry/sdk-node";
import type { ExportCounts } from "./export-health.ts";

const PROCESSED = "otel.sdk.processor.span.processed";
/** Instruments that count every span as it starts: their cost is a span's, and nobody reads them. */
const NOT_READ = "otel.sdk.span.*";

export class SelfMetrics extends metrics.MetricReader {
  /** Views for the SDK: what this reads, and nothing that is dear. */
  static readonly views = [
    { instrumentName: NOT_READ, aggregation: { type: metrics.AggregationType.DROP } } as const,
  ];

  async read(): Promise<ExportCounts> {
    const { resourceMetrics } = await this.collect();
    const counts = { exported: 0, failed: 0, queueFull: 0 };
    for (const { descriptor, dataPoints } of resourceMetrics.scopeMetrics.flatMap((scope) => scope.metrics)) {
      if (descriptor.name !== PROCESSED) continue;
      for (const { attributes, value } of dataPoints) {
        counts[countedAs(attributes["error.type"])] += Number(value);
      }
    }
    return counts;
  }

  protected override async onForceFlush(): Promise<void> {
    // Nothing is kept back.
  }

  protected override async onShutdown(): Promise<void> {
    // Nothing is held.
  }
}

function countedAs(errorType: unknown): keyof ExportCounts {
  if (errorType === undefined) return "exported";
  return errorType === "queue_full" ? "queueFull" : "failed";
}
