import type { GuestRestore } from "@kvm-governor/linux";
import { switchReason } from "@kvm-governor/policy";
import { createReloadMetrics, labelText, registerFamily } from "@kvm-governor/service-kit";
import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { REFUSAL_REASONS, type Judgement } from "./acceptance.ts";

export type ActuatorMetrics = ReturnType<typeof createMetrics>;

/** What a gauge reads at a scrape. */
export interface ActuatorState {
  nowUs(): number;
  plan(): { generation: number; sequence: number; expiresAtUs: number } | undefined;
  /** UUIDs of the guests that are held away from their baseline. */
  guestsHeld(): readonly string[];
  openFiles(): number;
  dryRun: boolean;
}

/** Values of labels that rules and dashboards ask for: `increase()` misses the first event of a series that begins with it. */
const SETTINGS = ["bandwidth", "weight", "idle", "cpus", "affinity"];
const RESTORE_OUTCOMES = allOf<GuestRestore["outcome"]>({ restored: 0, gone: 0, failed: 0 });
const PLAN_RESULTS = allOf<Judgement["result"]>({ accepted: 0, repeated: 0, refused: 0 });
const WRITE_RESULTS = ["ok", "failed"];

/** Every value of a type: one that is left out does not compile. */
function allOf<Value extends string>(values: Record<Value, 0>): Value[] {
  return Object.keys(values) as Value[];
}

/** Gauges that read the actuator's state at each scrape. */
export function exposeState(
  registry: Registry,
  state: ActuatorState,
  onError: (family: string, error: unknown) => void,
): void {
  const registers = [registry];
  const gauge = (name: string, help: string, read: () => number | undefined): Gauge =>
    new Gauge({
      name,
      help,
      registers,
      collect() {
        const value = read();
        if (value === undefined) this.remove();
        else this.set(value);
      },
    });
  const seconds = (us: number): number => us / 1e6;
  gauge(
    "kvmgov_actuator_plan_generation",
    "Generation of the plan that is followed",
    () => state.plan()?.generation,
  );
  gauge(
    "kvmgov_actuator_plan_age_seconds",
    "Time since the counters were read that the plan rests on",
    () => {
      const plan = state.plan();
      return plan && seconds(state.nowUs() - plan.sequence);
    },
  );
  gauge("kvmgov_actuator_plan_expires_seconds", "Time until the plan is void; negative once it is", () => {
    const plan = state.plan();
    return plan && seconds(plan.expiresAtUs - state.nowUs());
  });
  gauge(
    "kvmgov_actuator_guests_held",
    "Guests that are held away from their baseline",
    () => state.guestsHeld().length,
  );
  registerFamily(
    registry,
    {
      name: "kvmgov_actuator_guest_held",
      help: "1 for a guest that is held away from its baseline",
      type: "gauge",
      labels: ["uuid"],
    },
    (write) => {
      for (const uuid of state.guestsHeld()) write(labelText({ uuid }), 1);
    },
    onError,
  );
  gauge("kvmgov_actuator_open_files", "Control files kept open", () => state.openFiles());
  gauge("kvmgov_actuator_dry_run", "1 where nothing is written", () => (state.dryRun ? 1 : 0));
}

export function createMetrics(registry: Registry) {
  const registers = [registry];
  const metrics = {
    writes: new Counter({
      name: "kvmgov_actuator_writes_total",
      help: "Values written to the kernel, by setting and result (ok, failed, dry-run)",
      labelNames: ["setting", "result"],
      registers,
    }),
    plans: new Counter({
      name: "kvmgov_actuator_plans_total",
      help: "Plans that came, by result (accepted, repeated, refused)",
      labelNames: ["result"],
      registers,
    }),
    plansRefused: new Counter({
      name: "kvmgov_actuator_plans_refused_total",
      help: "Plans that were refused, by reason",
      labelNames: ["reason"],
      registers,
    }),
    planProblems: new Counter({
      name: "kvmgov_actuator_plan_problems_total",
      help: "Settings not applied to the letter, by what was in the way: a local limit (floor, ceiling, host-cpus, step, cool-down), bounds of the group above, or impossible",
      labelNames: ["kind", "setting"],
      registers,
    }),
    guestsSkipped: new Counter({
      name: "kvmgov_actuator_guests_skipped_total",
      help: "Guests of a plan that were not touched, by reason",
      labelNames: ["reason"],
      registers,
    }),
    latency: new Histogram({
      name: "kvmgov_actuator_sample_to_read_back_seconds",
      help: "Time from the sample taken to its plan's values read back",
      buckets: [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5],
      registers,
    }),
    drift: new Counter({
      name: "kvmgov_actuator_drift_total",
      help: "Values found that were neither what was applied nor what is wanted, by setting",
      labelNames: ["setting"],
      registers,
    }),
    baselineChanges: new Counter({
      name: "kvmgov_actuator_baseline_changes_total",
      help: "First values that libvirt was told to change while they were held, by setting",
      labelNames: ["setting"],
      registers,
    }),
    auditFailures: new Counter({
      name: "kvmgov_actuator_audit_failures_total",
      help: "Writes that the audit could not take (they were made all the same)",
      registers,
    }),
    switchFired: new Counter({
      name: "kvmgov_actuator_switch_fired_total",
      help: "Times that all guests went back to their baseline, by reason",
      labelNames: ["reason"],
      registers,
    }),
    restores: new Counter({
      name: "kvmgov_actuator_restores_total",
      help: "Guests taken back to their baseline, by outcome",
      labelNames: ["outcome"],
      registers,
    }),
    ...createReloadMetrics(registry),
  };
  for (const setting of SETTINGS) {
    metrics.drift.inc({ setting }, 0);
    for (const result of WRITE_RESULTS) metrics.writes.inc({ setting, result }, 0);
  }
  for (const reason of switchReason.options) metrics.switchFired.inc({ reason }, 0);
  for (const result of PLAN_RESULTS) metrics.plans.inc({ result }, 0);
  for (const reason of REFUSAL_REASONS) metrics.plansRefused.inc({ reason }, 0);
  for (const outcome of RESTORE_OUTCOMES) metrics.restores.inc({ outcome }, 0);
  metrics.guestsSkipped.inc({ reason: "failed" }, 0);
  return metrics;
}
