/** Metrics of the classifier itself. Those of guests and hosts: `guest-metrics.ts`. */
import { createReloadMetrics } from "@kvm-governor/service-kit";
import { Counter, Gauge, Histogram } from "prom-client";
import type { Registry } from "prom-client";

/** Around the aim of 50 ms from sample to read-back, and up to where a plan expires. */
const READ_BACK_BUCKETS_S = [
  0.005, 0.01, 0.015, 0.02, 0.025, 0.03, 0.04, 0.05, 0.075, 0.1, 0.25, 0.5, 1, 2.5, 10,
];
const TICK_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30];

export type ClassifierMetrics = ReturnType<typeof createMetrics>;

export function createMetrics(registry: Registry) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> =>
    new Counter({ name, help, labelNames, registers });
  return {
    refused: counter(
      "kvmgov_messages_refused_total",
      "Messages that could not be worked off, by kind and reason",
      ["kind", "reason"],
    ),
    decisions: counter(
      "kvmgov_decisions_total",
      "Samples worked off: decided on, repeated (not newer than the last), or expired (newer ones were waiting)",
      ["outcome"],
    ),
    moves: counter("kvmgov_guest_moves_total", "Guests moved to a list, by host and list", ["host", "to"]),
    carriedOver: counter(
      "kvmgov_guests_carried_over_total",
      "Guests that came from another host and kept their list and crossing count",
    ),
    forgotten: counter(
      "kvmgov_hosts_forgotten_total",
      "Hosts removed from the store because nothing was heard of them for forgetHostMs",
    ),
    conflicts: counter("kvmgov_commit_conflicts_total", "Ticks decided again because the store had changed"),
    corrupt: counter(
      "kvmgov_stored_state_corrupt_total",
      "Hosts whose stored values were wrong and were rebuilt",
      ["source"],
    ),
    retries: counter("kvmgov_tick_retries_total", "Ticks tried again because something was away", [
      "waiting_for",
    ]),
    planPuts: counter("kvmgov_plan_puts_total", "Plans handed to the bus, by outcome", ["outcome"]),
    tickSeconds: new Histogram({
      name: "kvmgov_tick_seconds",
      help: "Time from a sample's arrival to its plan published",
      buckets: TICK_BUCKETS_S,
      registers,
    }),
    readBackSeconds: new Histogram({
      name: "kvmgov_sample_to_read_back_seconds",
      help: "Time from a sample taken to the last value of its plan read back from the kernel, by the host's own clock",
      buckets: READ_BACK_BUCKETS_S,
      registers,
    }),
    ...createReloadMetrics(registry),
  };
}

/** @param stats of the console, read at each scrape */
export function exposeConsole(
  registry: Registry,
  stats: () => Readonly<{ streams: number; refused: number; cutOff: number }>,
): void {
  new Gauge({
    name: "kvmgov_console_streams",
    help: "Pages of the console that are open",
    registers: [registry],
    collect() {
      this.set(stats().streams);
    },
  });
  new Counter({
    name: "kvmgov_console_streams_ended_total",
    help: "Pages of the console that were refused because too many are open, or cut off because they took nothing",
    labelNames: ["reason"],
    registers: [registry],
    collect() {
      this.reset();
      this.inc({ reason: "refused" }, stats().refused);
      this.inc({ reason: "cut-off" }, stats().cutOff);
    },
  });
}

/** @param isUp whether Redis answers, asked at each scrape */
export function exposeRedisUp(registry: Registry, isUp: () => boolean): void {
  new Gauge({
    name: "kvmgov_redis_up",
    help: "1 while Redis answers",
    registers: [registry],
    collect() {
      this.set(isUp() ? 1 : 0);
    },
  });
}
