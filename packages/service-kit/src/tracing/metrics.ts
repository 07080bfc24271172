/** Metrics of traces. */
import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";
import type { ExportCounts } from "./export-health.ts";
import type { Tracing } from "./tracing.ts";

export interface TraceSource {
  tracing: Tracing;
  /** What became of spans so far; asked at each scrape. */
  counts: () => Promise<ExportCounts>;
}

/** Registers the families of traces; all 0 where tracing is off. */
export function exposeTraces(registry: Registry, { tracing, counts }: TraceSource): void {
  const registers = [registry];
  const enabled = new Gauge({
    name: "kvmgov_traces_enabled",
    help: "1 where traces are sent (OTEL_* variables)",
    registers,
  });
  enabled.set(tracing.isOn ? 1 : 0);
  // prom-client's counters have no set().
  new Counter({
    name: "kvmgov_traces_spans_sent_total",
    help: "Spans that the receiver has taken",
    registers,
    async collect() {
      const { exported } = await counts();
      this.reset();
      this.inc(exported);
    },
  });
  new Counter({
    name: "kvmgov_traces_spans_lost_total",
    help: "Spans that were not sent, by reason (queue-full, failed)",
    labelNames: ["reason"],
    registers,
    async collect() {
      const { queueFull, failed } = await counts();
      this.reset();
      this.inc({ reason: "queue-full" }, queueFull);
      this.inc({ reason: "failed" }, failed);
    },
  });
}
