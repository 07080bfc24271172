/** Metrics of the bus. */
import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";

export type BusMetrics = ReturnType<typeof createBusMetrics>;

/** @param isUp whether NATS is connected, asked at each scrape */
export function createBusMetrics(registry: Registry, isUp: () => boolean) {
  const registers = [registry];
  new Gauge({
    name: "kvmgov_bus_connected",
    help: "1 while connected to NATS",
    registers,
    collect() {
      this.set(isUp() ? 1 : 0);
    },
  });
  return {
    failures: new Counter({
      name: "kvmgov_bus_publish_failures_total",
      help: "Messages that could not be published, by kind",
      labelNames: ["kind"],
      registers,
    }),
    backlog: new Gauge({
      name: "kvmgov_bus_backlog_messages",
      help: "Messages of a kind that wait in their stream or are not worked off yet, as the server counted last",
      labelNames: ["kind"],
      registers,
    }),
  };
}
