/** Metrics of the bus. */
import { Counter, Gauge } from "prom-client";
import type { Registry } from "prom-client";

export type BusMetrics = ReturnType<typeof createBusMetrics>;

export interface BusMetricsOptions {
  /** Whether NATS is connected, asked at each scrape. */
  isUp: () => boolean;
  /** Whether this process takes messages of the fleet: a page of a host must not say that it hears 0 classifiers. */
  isClassifier: boolean;
}

export function createBusMetrics(registry: Registry, { isUp, isClassifier }: BusMetricsOptions) {
  const registers = [registry];
  const ofClassifiers = isClassifier ? registers : [];
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
      help: "Messages of a kind that wait in their stream for this process or are not worked off yet, as the server counted last",
      labelNames: ["kind"],
      registers: ofClassifiers,
    }),
    setAside: new Counter({
      name: "kvmgov_bus_set_aside_total",
      help: "Refused messages, by kind and by whether they were kept for people to look at: kept, failed, or skipped (one of this host and reason was kept in the last minute)",
      labelNames: ["kind", "outcome"],
      registers: ofClassifiers,
    }),
    partitions: new Gauge({
      name: "kvmgov_partitions",
      help: "Partitions of the fleet that this process works off",
      registers: ofClassifiers,
    }),
    members: new Gauge({
      name: "kvmgov_classifiers",
      help: "Classifiers that are alive, as this one hears them, itself included",
      registers: ofClassifiers,
    }),
  };
}
