/** Every family of metrics of the three services, from the code that registers them. */
import { DescriptorBudget } from "@kvm-governor/linux";
import {
  createBusMetrics,
  createLogger,
  exposeBuildInfo,
  exposeTraces,
  TRACING_OFF,
} from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { createMetrics as createActuatorMetrics, exposeState } from "../../services/actuator/src/metrics.ts";
import { exposeRefusedPages } from "../../services/classifier/src/discovery.ts";
import { createFactsMetrics } from "../../services/classifier/src/facts/metrics.ts";
import { registerGuestMetrics } from "../../services/classifier/src/guest-metrics.ts";
import { exposeConflicts } from "../../services/classifier/src/host-ids.ts";
import {
  createMetrics as createClassifierMetrics,
  exposeConsole,
  exposeRedisUp,
} from "../../services/classifier/src/metrics.ts";
import { Views } from "../../services/classifier/src/views.ts";
import { registerGuestFamilies } from "../../services/collector/src/metrics/guest-families.ts";
import { registerHostFamilies } from "../../services/collector/src/metrics/host-families.ts";
import { createOwnMetrics } from "../../services/collector/src/metrics/own-metrics.ts";

export interface Family {
  name: string;
  type: string;
  labels: readonly string[];
  help: string;
}

const noError = (family: string, error: unknown): void => {
  throw new Error(`${family} failed`, { cause: error });
};
const none = {
  silent: createLogger("docs", "silent"),
  isUp: (): boolean => false,
  traces: {
    tracing: TRACING_OFF,
    counts: () => Promise.resolve({ exported: 0, failed: 0, queueFull: 0 }),
  },
};

/** Families by service. The services add nothing else, but for prom-client's own in the classifier. */
export async function familiesOfServices(): Promise<Map<string, Family[]>> {
  const registries = { collector: collector(), classifier: classifier(), actuator: actuator() };
  const families = new Map<string, Family[]>();
  for (const [service, registry] of Object.entries(registries)) {
    createBusMetrics(registry, { isUp: none.isUp, isClassifier: service === "classifier" });
    exposeBuildInfo(registry, { name: service, version: "0" });
    exposeTraces(registry, none.traces);
    families.set(service, await familiesOf(registry));
  }
  return families;
}

async function familiesOf(registry: Registry): Promise<Family[]> {
  const labelsOf = new Map<string, readonly string[]>();
  // prom-client's types leave out what its metrics have (prom-client 15.1, lib/metric.js).
  for (const metric of registry.getMetricsAsArray() as unknown as { name: string; labelNames: string[] }[]) {
    labelsOf.set(metric.name, metric.labelNames);
  }
  return (await registry.getMetricsAsJSON())
    .map(({ name, help, type }) => ({
      name,
      help,
      type: String(type),
      labels: (labelsOf.get(name) ?? []).filter((label) => label !== "le"),
    }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function collector(): Registry {
  const registry = new Registry();
  createOwnMetrics({
    registry,
    budget: new DescriptorBudget(1, 0),
    isPerfAvailable: false,
  });
  registerGuestFamilies({
    registry,
    guests: () => [],
    declare: () => ({ class: "auto" }),
    readSwitchSplit: () => undefined,
    onError: noError,
  });
  registerHostFamilies({
    registry,
    host: () => undefined,
    hostRun: () => undefined,
    sources: new Map(),
    onError: noError,
  });
  return registry;
}

function classifier(): Registry {
  const registry = new Registry();
  createClassifierMetrics(registry);
  createFactsMetrics(registry);
  exposeRedisUp(registry, none.isUp);
  exposeConsole(registry, () => ({ streams: 0, refused: 0, cutOff: 0 }));
  const views = new Views(Date.now);
  registerGuestMetrics(registry, views, none.silent);
  exposeRefusedPages(registry, views, () => true);
  exposeConflicts(registry, { conflicts: () => new Map() });
  return registry;
}

function actuator(): Registry {
  const registry = new Registry();
  createActuatorMetrics(registry);
  const state = {
    nowUs: () => 0,
    plan: () => undefined,
    guestsHeld: () => [],
    openFiles: () => 0,
    dryRun: false,
  };
  exposeState(registry, state, noError);
  return registry;
}
