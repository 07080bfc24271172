import { describe, expect, it } from "@jest/globals";
import { Registry } from "prom-client";
import { exposeProcess } from "./process-metrics.ts";

describe("exposeProcess", () => {
  it("shows memory, CPU and the lag of the event loop, and nothing that promtool refuses or few samples cannot tell", async () => {
    const registry = new Registry();
    exposeProcess(registry);
    const page = await registry.metrics();
    for (const name of [
      "process_cpu_seconds_total",
      "process_resident_memory_bytes",
      "nodejs_eventloop_lag_seconds",
    ])
      expect(page).toContain(`\n${name} `);
    expect(page).not.toMatch(/nodejs_eventloop_lag_(min|max|mean|stddev|p\d+)_seconds/);
    expect(page).not.toMatch(/nodejs_active_(handles|requests|resources)_total/);
  });
});
