/** One guest: what it wants, what it gets, why it is in its list, and what that does to it. */
import { GUEST_VARIABLE, HOST_VARIABLE, dashboard, mark } from "./board.ts";
import type { Sized } from "./board.ts";
import { YES_NO } from "./fields.ts";
import type { Dashboard } from "./model.ts";
import { row, stat, stateTimeline, timeSeries } from "./panels.ts";

const GUEST = '{uuid="$guest"}';
/** Of each vCPU: a guest that migrates has its counters on two hosts, one after the other. */
const perVcpu = (family: string): string =>
  `sum by (vcpu) (rate(kvmgov_vcpu_${family}${GUEST}[$__rate_interval]))`;

const glance: Sized[] = [
  [
    stat({
      title: "Class",
      description: "The list that the guest is in. Why: kvmgov explain GUEST.",
      query: [`max(kvmgov:guest_scientific:max${GUEST})`, ""],
      words: { "0": "service", "1": "scientific" },
      noValue: "exempt",
    }),
    4,
    4,
  ],
  [
    stat({
      title: "Held",
      description: "Yes: the guest is held away from its baseline right now.",
      query: [`max(kvmgov_actuator_guest_held${GUEST} or 0 * kvmgov_guest_info${GUEST})`, ""],
      words: YES_NO,
    }),
    3,
    4,
  ],
  [
    stat({
      title: "Entitlement",
      description: "CPU that the guest may have now, in cores.",
      query: [`max(kvmgov:guest_entitlement_cores:max${GUEST})`, ""],
      decimals: 2,
      noValue: "none",
    }),
    3,
    4,
  ],
  [
    stat({
      title: "SLA kept",
      description:
        "Of what was promised to the guest and it wanted in the last 5 minutes, the part that it got.",
      unit: "percentunit",
      query: [`min(kvmgov:guest_sla:ratio5m${GUEST})`, ""],
      limits: { warning: 0.99, critical: 0.9, isLowBad: true },
      noValue: "no SLA",
    }),
    4,
    4,
  ],
  [
    stat({
      title: "Declared",
      description: "The class that an operator declared; auto: it is inferred.",
      query: [`max by (class) (kvmgov_guest_declared_class${GUEST}) == 1`, "{{class}}"],
    }),
    4,
    4,
  ],
  [
    stat({
      title: "State",
      description: "The state that the guest is in.",
      query: [`max by (state) (kvmgov_guest_state${GUEST}) == 1`, "{{state}}"],
    }),
    3,
    4,
  ],
  [
    stat({
      title: "vCPUs",
      description: "vCPUs of the guest.",
      query: [`max(kvmgov_guest_vcpus${GUEST})`, ""],
    }),
    3,
    4,
  ],
];

const use: Sized[] = [
  [
    timeSeries({
      title: "CPU: wanted, got, and may have",
      description:
        "Cores. Wanted is run time and waiting together. Where used stays below both wanted and promised, the SLA is broken.",
      min: 0,
      queries: [
        [`sum(kvmgov:guest_run_seconds:rate5m${GUEST})`, "used"],
        [`sum(kvmgov:guest_wanted_seconds:rate5m${GUEST})`, "wanted"],
        [`max(kvmgov:guest_entitlement_cores:max${GUEST})`, "entitlement"],
        [`max(kvmgov:guest_sla_cores:max${GUEST})`, "promised (SLA)"],
      ],
      lines: ["entitlement", "promised (SLA)"],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Usage of each vCPU",
      description: "Part of the time that each vCPU ran: what is compared with alpha.",
      unit: "percentunit",
      min: 0,
      queries: [[perVcpu("run_seconds_total"), "vCPU {{vcpu}}"]],
    }),
    12,
    8,
  ],
  [
    stateTimeline({
      title: "List",
      description: "LIST_se or LIST_sc, over time, on each host that had the guest.",
      query: [`kvmgov:guest_scientific:max${GUEST}`, "{{host}}"],
      states: { "0": { text: "service", color: "blue" }, "1": { text: "scientific", color: "orange" } },
    }),
    12,
    6,
  ],
  [
    timeSeries({
      title: "Crossing count",
      description: "How far the guest is towards the other list: more than beta crossings move it.",
      min: 0,
      decimals: 0,
      queries: [[`max(kvmgov_guest_crossings${GUEST})`, "crossings"]],
    }),
    12,
    6,
  ],
];

const effect: Sized[] = [
  [
    timeSeries({
      title: "Context switches",
      description:
        "Per second, over all vCPUs. Involuntary: somebody else wanted the CPU, which is what holding a scientific guest avoids.",
      min: 0,
      queries: [
        [`sum(rate(kvmgov_vcpu_context_switches_total${GUEST}[$__rate_interval]))`, "all"],
        [
          `sum(rate(kvmgov_vcpu_involuntary_context_switches_total${GUEST}[$__rate_interval]))`,
          "involuntary",
        ],
        [`sum(rate(kvmgov_vcpu_voluntary_context_switches_total${GUEST}[$__rate_interval]))`, "voluntary"],
      ],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Run delay of each vCPU",
      description: "Part of the time that each vCPU was runnable and waited, throttled time included.",
      unit: "percentunit",
      min: 0,
      queries: [[perVcpu("delay_seconds_total"), "vCPU {{vcpu}}"]],
    }),
    12,
    8,
  ],
  [
    timeSeries({
      title: "Throttling",
      description: "Part of the bandwidth periods in which a quota stopped the guest, by us or by its own.",
      unit: "percentunit",
      min: 0,
      queries: [
        [`max(kvmgov:guest_throttled:ratio5m${GUEST})`, "periods throttled"],
        [
          `sum(rate(kvmgov_vcpu_throttled_seconds_total${GUEST}[$__rate_interval]))`,
          "time throttled, all vCPUs",
        ],
      ],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Moves between CPUs",
      description: "Moves of each vCPU's thread to another CPU, per second. A CPU of its own means none.",
      min: 0,
      queries: [[perVcpu("migrations_total"), "vCPU {{vcpu}}"]],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Emulator and I/O threads",
      description: "Cores that the guest's other threads run on.",
      min: 0,
      queries: [
        [`sum(rate(kvmgov_guest_emulator_run_seconds_total${GUEST}[$__rate_interval]))`, "emulator"],
        [
          `sum by (iothread) (rate(kvmgov_guest_iothread_run_seconds_total${GUEST}[$__rate_interval]))`,
          "I/O thread {{iothread}}",
        ],
      ],
    }),
    8,
    8,
  ],
];

export const guest: Dashboard = dashboard({
  uid: "kvmgov-guest",
  title: "kvm-governor / Guest",
  description: "One guest: what it wants, what it gets, why it is in its list, and what that does to it.",
  variables: [HOST_VARIABLE, GUEST_VARIABLE],
  annotations: [
    mark(
      "Class",
      `changes(kvmgov:guest_scientific:max${GUEST}[1m]) > 0`,
      "orange",
      "the guest moved to the other list",
    ),
  ],
  panels: [
    ...glance,
    [row("What it wants and gets"), 24, 1],
    ...use,
    [row("What that does to it"), 24, 1],
    ...effect,
  ],
});
