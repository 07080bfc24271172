/** Of one host: what its collector and its actuator do. */
import type { Sized } from "./board.ts";
import { stat, timeSeries } from "./panels.ts";

const HOST = '{host="$host"}';
const perSecond = (family: string, by: string): string =>
  `sum by (${by}) (rate(${family}${HOST}[$__rate_interval]))`;
const perMinute = (family: string, by: string): string => `60 * ${perSecond(family, by)}`;

export const services: Sized[] = [
  [
    timeSeries({
      title: "Writes",
      description:
        "Values written to the kernel per second, by setting and result. Only differences are written.",
      min: 0,
      queries: [[perSecond("kvmgov_actuator_writes_total", "setting, result"), "{{setting}}: {{result}}"]],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Drift",
      description: "Values that somebody else wrote over ours, per minute, by setting.",
      min: 0,
      queries: [[perMinute("kvmgov_actuator_drift_total", "setting"), "{{setting}}"]],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "What was in the way",
      description:
        "Per minute: settings not applied to the letter and why, guests not touched and why, plans refused and why, times that all guests went back.",
      min: 0,
      queries: [
        [perMinute("kvmgov_actuator_plan_problems_total", "kind"), "{{kind}}"],
        [perMinute("kvmgov_actuator_guests_skipped_total", "reason"), "guest skipped: {{reason}}"],
        [perMinute("kvmgov_actuator_plans_refused_total", "reason"), "plan refused: {{reason}}"],
        [perMinute("kvmgov_actuator_switch_fired_total", "reason"), "all taken back: {{reason}}"],
      ],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Plan age",
      description:
        "How old the sample is that the plan in force rests on, and how long the plan still holds. At 0 left, guests go back to their baselines.",
      unit: "s",
      queries: [
        [`max(kvmgov_actuator_plan_age_seconds${HOST})`, "age"],
        [`max(kvmgov_actuator_plan_expires_seconds${HOST})`, "left"],
      ],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Time of a tick",
      description: "How long the collector takes for a tick, and how late it began.",
      unit: "s",
      min: 0,
      queries: [
        [
          `histogram_quantile(0.99, sum by (le) (rate(kvmgov_collector_tick_duration_seconds_bucket${HOST}[$__rate_interval])))`,
          "p99",
        ],
        [`max(kvmgov_collector_tick_late_seconds${HOST})`, "late"],
      ],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Samples lost",
      description: "Per minute: ticks left out, samples dropped and why, sources that failed.",
      min: 0,
      queries: [
        [`60 * sum(rate(kvmgov_collector_ticks_missed_total${HOST}[$__rate_interval]))`, "ticks missed"],
        [perMinute("kvmgov_collector_samples_dropped_total", "reason"), "dropped: {{reason}}"],
        [perMinute("kvmgov_collector_source_failures_total", "source"), "source failed: {{source}}"],
      ],
    }),
    8,
    8,
  ],
  [
    stat({
      title: "Sources",
      description: "Where the collector reads: 1 where the last reading was without failure.",
      query: [`min by (source) (kvmgov_collector_source_success${HOST})`, "{{source}}"],
      words: { "0": "fails", "1": "ok" },
      limits: { warning: 1, isLowBad: true },
    }),
    12,
    5,
  ],
  [
    stat({
      title: "Guests that could not be read",
      description:
        "Guests that exist and could not be read at the last tick, and other problems of discovery.",
      query: [
        `max(kvmgov_collector_unreadable_guests${HOST}) + max(kvmgov_collector_discovery_problems${HOST})`,
        "",
      ],
      limits: { warning: 1 },
    }),
    6,
    5,
  ],
  [
    stat({
      title: "Versions",
      description: "Collector and actuator of this host.",
      query: [`max by (service, version) (kvmgov_build_info${HOST})`, "{{service}} {{version}}"],
    }),
    6,
    5,
  ],
];
