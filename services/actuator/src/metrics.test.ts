import { describe, expect, it } from "@jest/globals";
import { createBusMetrics, exposeBuildInfo } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { createMetrics, exposeState } from "./metrics.ts";

const UUID = "6f1d3a3c-0a3b-4c39-9d8e-0e6f2b3d8b11";

/** An actuator that holds one guest, 0.2 s after the sample that its plan rests on. */
function goldenRegistry(): Registry {
  const registry = new Registry();
  exposeBuildInfo(registry, { name: "@kvm-governor/actuator", version: "1.2.3" });
  const metrics = createMetrics(registry);
  createBusMetrics(registry, { isUp: () => true, isClassifier: false });
  const state = {
    nowUs: () => 1_200_000,
    plan: () => ({ generation: 7, sequence: 1_000_000, expiresAtUs: 11_000_000 }),
    guestsHeld: () => [UUID],
    openFiles: () => 12,
    dryRun: false,
  };
  exposeState(registry, state, (family, error) => {
    throw new Error(family, { cause: error });
  });
  metrics.plans.inc({ result: "accepted" });
  metrics.plansRefused.inc({ reason: "expired" });
  metrics.planProblems.inc({ kind: "floor", setting: "bandwidth" });
  metrics.writes.inc({ setting: "bandwidth", result: "ok" }, 2);
  metrics.baselineChanges.inc({ setting: "weight" });
  metrics.latency.observe(0.012);
  return registry;
}

describe("metrics of the actuator", () => {
  it("read as this golden page, at each scrape", async () => {
    const registry = goldenRegistry();
    const page = (await registry.metrics()).replaceAll(process.versions.node, "NODE");
    expect(page).toMatchSnapshot();
    expect((await registry.metrics()).replaceAll(process.versions.node, "NODE")).toBe(page);
  });

  it("show which guests are held, and drop those that are not any more", async () => {
    const registry = new Registry();
    let held = [UUID];
    const state = { nowUs: () => 0, plan: () => undefined, openFiles: () => 0, dryRun: false };
    exposeState(registry, { ...state, guestsHeld: () => held }, (family, error) => {
      throw new Error(family, { cause: error });
    });
    const page = await registry.metrics();
    expect(page).toContain(`kvmgov_actuator_guest_held{uuid="${UUID}"} 1\n`);
    expect(page).toContain("kvmgov_actuator_guests_held 1\n");
    held = [];
    expect(await registry.metrics()).not.toContain(UUID);
  });

  it("say nothing of what only classifiers have", async () => {
    const page = await goldenRegistry().metrics();
    expect(page).toContain("kvmgov_bus_connected 1\n");
    expect(page).not.toMatch(/kvmgov_(classifiers|partitions|bus_backlog_messages|bus_set_aside_total)\b/);
  });

  it("begin at 0, so that increase() sees the first event", async () => {
    const registry = new Registry();
    createMetrics(registry);
    const page = await registry.metrics();
    for (const series of [
      'kvmgov_actuator_drift_total{setting="bandwidth"} 0',
      'kvmgov_actuator_switch_fired_total{reason="expired"} 0',
      'kvmgov_actuator_switch_fired_total{reason="operator"} 0',
      'kvmgov_actuator_plans_total{result="refused"} 0',
      'kvmgov_actuator_plans_refused_total{reason="wrong-boot"} 0',
      'kvmgov_actuator_restores_total{outcome="gone"} 0',
      'kvmgov_config_reloads_total{result="refused"} 0',
      "kvmgov_config_last_reload_successful 1",
      'kvmgov_actuator_writes_total{setting="affinity",result="failed"} 0',
      'kvmgov_actuator_restores_total{outcome="failed"} 0',
      'kvmgov_actuator_guests_skipped_total{reason="failed"} 0',
    ])
      expect(page).toContain(`${series}\n`);
  });
});
