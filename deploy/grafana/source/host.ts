/** One host: where its CPU goes, what its guests get, and what the services on it do. */
import { HOST_VARIABLE, dashboard, linkTo, mark } from "./board.ts";
import type { Sized } from "./board.ts";
import { guestNamed } from "./expressions.ts";
import { YES_NO } from "./fields.ts";
import { services } from "./host-services.ts";
import type { Dashboard } from "./model.ts";
import { row, stat, stateTimeline, timeSeries } from "./panels.ts";
import { table } from "./table.ts";

const HOST = '{host="$host"}';
/** 1 for guests that are held, 0 for the others. */
const HELD = `max by (host, uuid) (kvmgov_actuator_guest_held${HOST} or 0 * kvmgov_guest_scientific${HOST})`;

const glance: Sized[] = [
  [
    stat({
      title: "CPUs",
      description: "Online CPUs that guests may use.",
      query: [`max(kvmgov_host_usable_cpus${HOST})`, ""],
    }),
    3,
    4,
  ],
  [
    stat({
      title: "Guests",
      description: "Guests of the host, by class.",
      query: [`max by (class) (kvmgov_guests${HOST})`, "{{class}}"],
    }),
    7,
    4,
  ],
  [
    stat({
      title: "Held guests",
      description: "Guests that are held away from their baseline right now.",
      query: [`max(kvmgov_actuator_guests_held${HOST})`, ""],
    }),
    3,
    4,
  ],
  [
    stat({
      title: "Dry run",
      description: "Yes: the actuator shows what it would write, and writes nothing.",
      query: [`max(kvmgov_actuator_dry_run${HOST})`, ""],
      words: YES_NO,
      limits: { warning: 1 },
    }),
    3,
    4,
  ],
  [
    stat({
      title: "Plan age",
      description: "How old the sample is that the plan in force rests on.",
      unit: "s",
      query: [`max(kvmgov_actuator_plan_age_seconds${HOST})`, ""],
      limits: { warning: 10, critical: 30 },
      noValue: "no plan",
    }),
    4,
    4,
  ],
  [
    stat({
      title: "SLAs exceed the host",
      description: "Yes: the promises to its guests add up to more than the host has, and were scaled down.",
      query: [`max(kvmgov_host_sla_oversubscribed${HOST})`, ""],
      words: YES_NO,
      limits: { warning: 1 },
    }),
    4,
    4,
  ],
];

const cpu: Sized[] = [
  [
    timeSeries({
      title: "Where the CPU goes",
      description: "Cores by who runs on them. Guests of no class are exempt, and part of what is busy.",
      min: 0,
      stacked: true,
      queries: [
        [`kvmgov:host_service_run_cores:rate5m${HOST}`, "services"],
        [`kvmgov:host_scientific_run_cores:rate5m${HOST}`, "scientific"],
        [`max(kvmgov_host_own_use_cores${HOST})`, "host itself"],
        [`max(kvmgov_host_steal_cores${HOST})`, "stolen by a hypervisor below"],
        [`max(kvmgov_host_usable_cpus${HOST})`, "CPUs"],
      ],
      colors: { services: "blue", scientific: "orange", "host itself": "text", CPUs: "red" },
      lines: ["CPUs"],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Idle CPU given away",
      description:
        "What services, host and exempt guests leave, what scientific guests run of it, and what stays idle, in cores.",
      min: 0,
      queries: [
        [`max(kvmgov_host_available_cores${HOST})`, "left by services"],
        [`kvmgov:host_scientific_run_cores:rate5m${HOST}`, "run by scientific guests"],
        [`max(kvmgov_host_idle_cores${HOST})`, "still idle"],
      ],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Pressure and steal",
      description:
        "Part of the time in which some task of the host waited for a CPU; part of the CPUs that a hypervisor below took.",
      unit: "percentunit",
      min: 0,
      queries: [
        [`kvmgov:host_pressure_cpu_waiting:ratio5m${HOST}`, "pressure"],
        [`kvmgov:host_steal:ratio5m${HOST}`, "steal"],
      ],
    }),
    12,
    8,
  ],
  [
    stateTimeline({
      title: "Class of each guest",
      description: "LIST_se or LIST_sc, over time. Why a guest moved: kvmgov explain GUEST.",
      query: [guestNamed(`kvmgov:guest_scientific:max${HOST}`), "{{name}}"],
      states: { "0": { text: "service", color: "blue" }, "1": { text: "scientific", color: "orange" } },
    }),
    12,
    8,
  ],
];

const guests: Sized[] = [
  [
    table({
      title: "Guests",
      description: "One line a guest; its name leads to its own dashboard. Means of the last 5 minutes.",
      keys: { name: "Name", uuid: "UUID" },
      hidden: ["host"],
      link: {
        column: "Name",
        title: "Guest",
        url: linkTo("kvmgov-guest", "guest", "UUID", "&var-host=${host}"),
      },
      columns: [
        {
          title: "Class",
          expr: guestNamed(`kvmgov:guest_scientific:max${HOST}`),
          words: { "0": "service", "1": "scientific" },
        },
        { title: "Held", expr: guestNamed(HELD), words: YES_NO },
        { title: "Cores used", expr: guestNamed(`kvmgov:guest_run_seconds:rate5m${HOST}`), decimals: 2 },
        { title: "Cores wanted", expr: guestNamed(`kvmgov:guest_wanted_seconds:rate5m${HOST}`), decimals: 2 },
        { title: "Entitlement", expr: guestNamed(`kvmgov:guest_entitlement_cores:max${HOST}`), decimals: 2 },
        {
          title: "Delay",
          expr: guestNamed(`kvmgov:guest_delay:ratio5m${HOST}`),
          unit: "percentunit",
          limits: { warning: 0.1, critical: 0.25 },
        },
        {
          title: "SLA kept",
          expr: guestNamed(`kvmgov:guest_sla:ratio5m${HOST}`),
          unit: "percentunit",
          limits: { warning: 0.99, critical: 0.9, isLowBad: true },
        },
        {
          title: "Throttled",
          expr: guestNamed(`kvmgov:guest_throttled:ratio5m${HOST}`),
          unit: "percentunit",
        },
        { title: "Switches per s", expr: guestNamed(`kvmgov:guest_switches:rate5m${HOST}`), decimals: 0 },
      ],
    }),
    24,
    10,
  ],
  [
    timeSeries({
      title: "Context switches",
      description: "Context switches per second of each guest's vCPUs.",
      min: 0,
      queries: [[guestNamed(`kvmgov:guest_switches:rate5m${HOST}`), "{{name}}"]],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Run delay",
      description: "Part of the time that each guest's vCPUs wanted a CPU and did not get one.",
      unit: "percentunit",
      min: 0,
      queries: [[guestNamed(`kvmgov:guest_delay:ratio5m${HOST}`), "{{name}}"]],
    }),
    12,
    8,
  ],
];

export const host: Dashboard = dashboard({
  uid: "kvmgov-host",
  title: "kvm-governor / Host",
  description: "One host: where its CPU goes, what its guests get, and what the services on it do.",
  variables: [HOST_VARIABLE],
  annotations: [
    mark(
      "Plan",
      `changes(kvmgov_actuator_plan_generation${HOST}[1m]) > 0`,
      "blue",
      "the actuator follows another plan",
    ),
    mark(
      "Dead-man's switch",
      'increase(kvmgov_actuator_switch_fired_total{host="$host", reason="expired"}[1m]) > 0',
      "red",
      "no plan came in time: all guests went back to their baselines",
    ),
  ],
  panels: [
    ...glance,
    [row("CPU"), 24, 1],
    ...cpu,
    [row("Guests"), 24, 1],
    ...guests,
    [row("Services of this host"), 24, 1],
    ...services,
  ],
});
