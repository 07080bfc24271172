/** Of the fleet: does the control loop work. */
import type { Sized } from "./board.ts";
import { named } from "./expressions.ts";
import { stat, timeSeries } from "./panels.ts";

export const loop: Sized[] = [
  [
    timeSeries({
      title: "Plan age",
      description:
        "How old the sample is that the plan in force rests on, the oldest five hosts. It should stay near the check period; beyond 30 s see KvmgovPlanStale.",
      unit: "s",
      min: 0,
      queries: [[`topk(5, ${named("max by (host) (kvmgov_actuator_plan_age_seconds)")})`, "{{name}}"]],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "From sample to read-back",
      description: "Time from a sample taken to the last value of its plan read back from the kernel.",
      unit: "s",
      min: 0,
      queries: [0.5, 0.99].map((part) => [
        `histogram_quantile(${part}, sum by (le) (rate(kvmgov_sample_to_read_back_seconds_bucket[$__rate_interval])))`,
        `p${part * 100}`,
      ]),
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Decisions",
      description: "Samples that the classifiers worked off per second, by outcome.",
      min: 0,
      queries: [["sum by (outcome) (rate(kvmgov_decisions_total[$__rate_interval]))", "{{outcome}}"]],
    }),
    8,
    8,
  ],
];

export const errors: Sized[] = [
  [
    timeSeries({
      title: "Drift",
      description: "Values that somebody else wrote over ours, per minute, by setting.",
      min: 0,
      queries: [
        ["60 * sum by (setting) (rate(kvmgov_actuator_drift_total[$__rate_interval]))", "{{setting}}"],
      ],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Errors of the actuators",
      description:
        "Writes and restores that failed, guests that could not be held, plans refused, per minute.",
      min: 0,
      queries: [
        ['60 * sum(rate(kvmgov_actuator_writes_total{result="failed"}[$__rate_interval]))', "writes failed"],
        [
          '60 * sum(rate(kvmgov_actuator_restores_total{outcome="failed"}[$__rate_interval]))',
          "restores failed",
        ],
        [
          '60 * sum(rate(kvmgov_actuator_guests_skipped_total{reason="failed"}[$__rate_interval]))',
          "guests failed",
        ],
        [
          "60 * sum by (reason) (rate(kvmgov_actuator_plans_refused_total[$__rate_interval]))",
          "plan refused: {{reason}}",
        ],
      ],
    }),
    8,
    8,
  ],
  [
    timeSeries({
      title: "Errors of classifiers and collectors",
      description:
        "Messages refused, ticks that had to be tried again, samples dropped, sources failing, per minute.",
      min: 0,
      queries: [
        [
          "60 * sum by (kind, reason) (rate(kvmgov_messages_refused_total[$__rate_interval]))",
          "{{kind}} refused: {{reason}}",
        ],
        [
          "60 * sum by (waiting_for) (rate(kvmgov_tick_retries_total[$__rate_interval]))",
          "waiting for {{waiting_for}}",
        ],
        [
          "60 * sum by (reason) (rate(kvmgov_collector_samples_dropped_total[$__rate_interval]))",
          "samples dropped: {{reason}}",
        ],
        [
          "60 * sum by (source) (rate(kvmgov_collector_source_failures_total[$__rate_interval]))",
          "source {{source}} failed",
        ],
      ],
    }),
    8,
    8,
  ],
  [
    stat({
      title: "Pages that Prometheus reaches",
      description: "Part of the pages of each service that answer.",
      unit: "percentunit",
      query: ['avg by (job) (up{job=~"kvmgov-.+"})', "{{job}}"],
      limits: { warning: 1, critical: 0.5, isLowBad: true },
    }),
    12,
    5,
  ],
  [
    stat({
      title: "Versions",
      description: "Services that run, by version: more than one while an upgrade is under way.",
      query: ["count by (service, version) (kvmgov_build_info)", "{{service}} {{version}}"],
    }),
    12,
    5,
  ],
];
