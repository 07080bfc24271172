/** Metrics of the collector itself. */
import type { DescriptorBudget } from "@kvm-governor/linux";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";

const TICK_BUCKETS_S = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

export interface OwnMetricsOptions {
  registry: Registry;
  budget: DescriptorBudget;
  isPerfAvailable: boolean;
}

export type OwnMetrics = ReturnType<typeof createOwnMetrics>;

export function createOwnMetrics({ registry, budget, isPerfAvailable }: OwnMetricsOptions) {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Counter<L> =>
    new Counter({ name: `kvmgov_collector_${name}`, help, labelNames, registers });
  const gauge = <L extends string>(name: string, help: string, labelNames: readonly L[] = []): Gauge<L> =>
    new Gauge({ name: `kvmgov_collector_${name}`, help, labelNames, registers });
  const computed = (name: string, help: string, value: () => number): void => {
    new Gauge({ name: `kvmgov_collector_${name}`, help, registers, collect: setTo(value) });
  };

  const computedTotal = (name: string, help: string, value: () => number): void => {
    new Counter({ name: `kvmgov_collector_${name}`, help, registers, collect: addUpTo(value) });
  };

  gauge("perf_available", "1 where perf counts on this host, 0 where /proc/TID/status stands in for it").set(
    isPerfAvailable ? 1 : 0,
  );
  computed("kept_descriptors", "Descriptors kept open for counters", () => budget.used);
  computed("kept_descriptors_max", "Descriptors that may be kept open for counters", () => budget.limit);
  computed("resident_memory_bytes", "Memory of the collector", () => process.memoryUsage.rss());
  computedTotal(
    "kept_descriptors_refused_total",
    "Times that there was no descriptor left and a slower way was taken",
    () => budget.refused,
  );
  computedTotal("cpu_seconds_total", "CPU time of the collector", () => {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  });
  return {
    ticks: counter("ticks_total", "Ticks done"),
    ticksMissed: counter(
      "ticks_missed_total",
      "Ticks left out because the one before, or the host, was late",
    ),
    tickSeconds: new Histogram({
      name: "kvmgov_collector_tick_duration_seconds",
      help: "Time that a tick took: discovery, reading, building the sample and handing it over",
      buckets: TICK_BUCKETS_S,
      registers,
    }),
    tickLateSeconds: gauge("tick_late_seconds", "How long after its time the last tick began"),
    guests: gauge("guests", "Guests that were read at the last tick"),
    unreadableGuests: gauge("unreadable_guests", "Guests that exist and could not be read at the last tick"),
    discoveryProblems: gauge(
      "discovery_problems",
      "Things that are wrong with discovery as a whole or with declarations in metadata",
    ),
    published: counter("samples_published_total", "Samples that the bus has taken"),
    dropped: counter("samples_dropped_total", "Samples that were not sent, by reason", ["reason"]),
    announceFailures: counter("host_message_failures_total", "Host messages that could not be sent"),
    policyFileOk: gauge(
      "policy_file_valid",
      "0 while the policy file is not the one in use because it could not be read or is invalid",
    ),
    policyReloads: counter("policy_reloads_total", "Reads of the policy file at SIGHUP, by result", [
      "result",
    ]),
    familyFailures: counter("family_failures_total", "Families left out of a page because they failed", [
      "family",
    ]),
    splitPostponed: gauge(
      "switch_split_postponed_vcpus",
      "vCPUs whose voluntary and involuntary switches the last scrape left as they were, to bound its time",
    ),
  };
}

function setTo(value: () => number): (this: Gauge) => void {
  return function (this: Gauge) {
    this.set(value());
  };
}

/** prom-client's counters have no set(). */
function addUpTo(value: () => number): (this: Counter) => void {
  return function (this: Counter) {
    this.reset();
    this.inc(value());
  };
}
