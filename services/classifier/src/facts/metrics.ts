/** Metrics of what classifiers ask each other. */
import { Counter, Histogram } from "prom-client";
import type { Registry } from "prom-client";

export type FactsMetrics = ReturnType<typeof createFactsMetrics>;

export function createFactsMetrics(registry: Registry) {
  const registers = [registry];
  return {
    asks: new Counter({
      name: "kvmgov_facts_questions_total",
      help: "Questions to the other classifiers, by kind and by whether all that live answered: complete, incomplete, or not-asked (NATS away, too many questions open)",
      labelNames: ["kind", "outcome"],
      registers,
    }),
    answers: new Counter({
      name: "kvmgov_facts_answers_total",
      help: "Questions of other classifiers, by kind and outcome: sent, too-large, busy (too many at a time), refused (not a question of ours), failed",
      labelNames: ["kind", "outcome"],
      registers,
    }),
    refused: new Counter({
      name: "kvmgov_facts_answers_refused_total",
      help: "Answers of other classifiers that are not what they should be, by reason",
      labelNames: ["reason"],
      registers,
    }),
    late: new Counter({
      name: "kvmgov_facts_answers_late_total",
      help: "Answers that came when nobody waited for them any more: after the time, or after another classifier had said all that was asked",
      registers,
    }),
    answerSeconds: new Histogram({
      name: "kvmgov_facts_answer_seconds",
      help: "Time for which answering one question of another classifier held up everything else, piece by piece",
      labelNames: ["kind"],
      buckets: [0.0001, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1],
      registers,
    }),
  };
}
