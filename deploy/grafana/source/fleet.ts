/** All hosts: does the manager help, who is in which list, and does the control loop work. */
import { dashboard, linkTo, mark } from "./board.ts";
import type { Sized } from "./board.ts";
import { YES_NO } from "./fields.ts";
import type { Dashboard } from "./model.ts";
import { HELD, SCIENTIFIC, SERVICE, named } from "./expressions.ts";
import { errors, loop } from "./fleet-health.ts";
import { row, stat, timeSeries } from "./panels.ts";
import { table } from "./table.ts";

const perRunSecond = (guests: string): string =>
  `sum(kvmgov:guest_switches:rate5m ${guests}) / sum(kvmgov:guest_run_seconds:rate5m ${guests})`;
const delayOf = (guests: string): string =>
  `sum(kvmgov:guest_delay_seconds:rate5m ${guests}) / sum(kvmgov:guest_wanted_seconds:rate5m ${guests})`;

const glance: Sized[] = [
  [
    stat({
      title: "Hosts",
      description: "Hosts that announced themselves within the last two minutes.",
      query: ["count(kvmgov:host_announced_age_seconds < 120)", ""],
      noValue: "0",
    }),
    4,
    4,
  ],
  [
    stat({
      title: "Guests",
      description: "Guests by class, as the last decision on each host counted them.",
      query: ["sum by (class) (max by (host, class) (kvmgov_guests))", "{{class}}"],
    }),
    8,
    4,
  ],
  [
    stat({
      title: "Held guests",
      description: "Guests that are held away from their baseline right now.",
      query: ["sum(kvmgov_actuator_guests_held)", ""],
    }),
    4,
    4,
  ],
  [
    stat({
      title: "Hosts in dry run",
      description: "Hosts whose actuator writes nothing: there the manager cannot help, nor harm.",
      query: ["sum(kvmgov_actuator_dry_run)", ""],
      limits: { warning: 1 },
    }),
    4,
    4,
  ],
  [
    stat({
      title: "Alerts",
      description: "Alerts of kvm-governor that fire. What to do about them: docs/runbooks.",
      query: ['count(ALERTS{alertname=~"Kvmgov.+", alertstate="firing"}) or vector(0)', ""],
      limits: { warning: 1, critical: 5 },
    }),
    4,
    4,
  ],
];

const help: Sized[] = [
  [
    timeSeries({
      title: "Context switches per second of CPU time",
      description:
        "How often guests are switched for each second that they run. Scientific guests that are held should need far fewer than those that are not: that is what the manager is for.",
      min: 0,
      queries: [
        [perRunSecond(`and ${SCIENTIFIC} and ${HELD}`), "scientific, held"],
        [perRunSecond(`and ${SCIENTIFIC} unless ${HELD}`), "scientific, not held"],
        [perRunSecond(`and ${SERVICE}`), "services"],
      ],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Run delay",
      description:
        "Part of the time that vCPUs wanted a CPU and did not get one. Services should stay near 0; scientific guests may wait, because they take what others leave.",
      unit: "percentunit",
      min: 0,
      queries: [
        [delayOf(`and ${SERVICE}`), "services"],
        [delayOf(`and ${SCIENTIFIC}`), "scientific"],
      ],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "SLA satisfaction",
      description:
        "Of what was promised to guests with an SLA and they wanted, the part that they got. 100%: every promise is kept. Guests without a declared SLA are not in it.",
      unit: "percentunit",
      min: 0,
      max: 1,
      queries: [
        ["avg(kvmgov:guest_sla:ratio5m)", "mean of all guests"],
        ["min(kvmgov:guest_sla:ratio5m)", "worst guest"],
      ],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Idle CPU given away",
      description:
        "What services, hosts and exempt guests leave, what scientific guests run of it, and what stays idle, in cores. The nearer the first two, the less is wasted.",
      min: 0,
      queries: [
        ["sum(max by (host) (kvmgov_host_available_cores))", "left by services"],
        ["sum(kvmgov:host_scientific_run_cores:rate5m)", "run by scientific guests"],
        ["sum(kvmgov_host_idle_cores)", "still idle"],
      ],
    }),
    12,
    8,
  ],
];

const classes: Sized[] = [
  [
    timeSeries({
      title: "Guests by class",
      description: "Members of LIST_se and LIST_sc, and guests that are left alone.",
      min: 0,
      decimals: 0,
      stacked: true,
      queries: [["sum by (class) (max by (host, class) (kvmgov_guests))", "{{class}}"]],
      colors: { service: "blue", scientific: "orange", exempt: "text" },
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Moves between the lists",
      description: "Guests that changed class, per hour. Many moves of few guests: see KvmgovClassFlapping.",
      min: 0,
      queries: [["sum by (to) (increase(kvmgov_guest_moves_total[1h]))", "to {{to}}"]],
    }),
    12,
    8,
  ],
];

const hosts: Sized[] = [
  [
    table({
      title: "Hosts",
      description: "One line a host; its name leads to its own dashboard.",
      keys: { name: "Name", host: "Host" },
      link: { column: "Name", title: "Host", url: linkTo("kvmgov-host", "host", "Host") },
      columns: [
        { title: "CPUs", expr: named("max by (host) (kvmgov_host_usable_cpus)"), decimals: 0 },
        { title: "Idle", expr: named("max by (host) (kvmgov_host_idle_cores)"), decimals: 2 },
        { title: "Services", expr: named("kvmgov:host_service_run_cores:rate5m"), decimals: 2 },
        { title: "Scientific", expr: named("kvmgov:host_scientific_run_cores:rate5m"), decimals: 2 },
        { title: "Held", expr: named("max by (host) (kvmgov_actuator_guests_held)"), decimals: 0 },
        {
          title: "Delay",
          expr: named("kvmgov:host_guest_delay:ratio5m"),
          unit: "percentunit",
          limits: { warning: 0.1, critical: 0.25 },
        },
        {
          title: "Plan age",
          expr: named("max by (host) (kvmgov_actuator_plan_age_seconds)"),
          unit: "s",
          limits: { warning: 10, critical: 30 },
        },
        {
          title: "Drift, 1 h",
          expr: named("sum by (host) (increase(kvmgov_actuator_drift_total[1h]))"),
          decimals: 0,
          limits: { warning: 1, critical: 10 },
        },
        {
          title: "Failed writes, 1 h",
          expr: named('sum by (host) (increase(kvmgov_actuator_writes_total{result="failed"}[1h]))'),
          decimals: 0,
          limits: { warning: 1, critical: 10 },
        },
        { title: "Dry run", expr: named("max by (host) (kvmgov_actuator_dry_run)"), words: YES_NO },
      ],
    }),
    24,
    10,
  ],
];

export const fleet: Dashboard = dashboard({
  uid: "kvmgov-fleet",
  title: "kvm-governor / Fleet",
  description: "Does the manager help or harm, and does it work?",
  variables: [],
  annotations: [
    mark(
      "Dead-man's switch",
      'sum by (host) (increase(kvmgov_actuator_switch_fired_total{reason="expired"}[1m])) > 0',
      "red",
      "host {{host}}: no plan came in time, all guests went back to their baselines",
    ),
  ],
  panels: [
    ...glance,
    [row("Does it help?"), 24, 1],
    ...help,
    [row("Classes"), 24, 1],
    ...classes,
    [row("Hosts"), 24, 1],
    ...hosts,
    [row("Control loop"), 24, 1],
    ...loop,
    [row("Errors"), 24, 1],
    ...errors,
  ],
});
