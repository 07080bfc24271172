/** The page on a chaos test: what was done, what held, how long recoveries took. */
import os from "node:os";
import { machineOf } from "../bench/machine.ts";
import { TWO_AT_ONCE } from "./chaos.ts";
import type { ChaosReport } from "./chaos.ts";
import { KINDS } from "./faults.ts";
import type { FaultKind } from "./faults.ts";
import { recoveryRows } from "./recovery.ts";
import { CLASSIFIERS, GROUPS, HOST } from "./stage.ts";
import type { LostTicks } from "./store-judge.ts";

export interface PageFacts {
  report: ChaosReport;
  seed: number;
  minutes: number;
  periodMs: number;
  planTtlMs: number;
  /** When it began, and how long it ran. */
  date: Date;
  seconds: number;
  isNamespaced: boolean;
  /** Load average of the machine at the beginning. */
  load: number;
}

/** What the failovers lost, in numbers. */
export function lossOf(lost: readonly LostTicks[]): { hosts: number; ticks: number; healedAfter: number } {
  return {
    hosts: lost.length,
    ticks: lost.reduce((sum, { ticks }) => sum + ticks, 0),
    healedAfter: Math.max(0, ...lost.map(({ healedAfterTicks = Infinity }) => healedAfterTicks)),
  };
}

export function chaosPage({ report, ...facts }: PageFacts): string {
  const { cpus, kernel, node } = machineOf(os);
  const hosts = Object.values(GROUPS).reduce((sum, size) => sum + size, 0);
  const seconds = (periods: number): string => ((periods * facts.periodMs) / 1000).toFixed(1);
  const rows = recoveryRows(report.recoveries, facts.periodMs).map(
    ({ kind, faults, median, max }) =>
      `| ${whatOf(kind)} | ${faults} | ${median.toFixed(1)} (${seconds(median)} s) | ${max.toFixed(1)} (${seconds(max)} s) |`,
  );
  const loss = lossOf(report.lost);
  const found = report.violations.map(({ invariant, host, text }) => `- ${invariant}, ${host}: ${text}`);
  return `# Chaos test

Written by \`npm run test:chaos -- --seed ${facts.seed} --minutes ${facts.minutes}\` on ${facts.date.toISOString().slice(0, 10)}, in
${Math.round(facts.seconds)} s, on Linux ${kernel} with ${cpus} CPUs, Node ${node}. A short form runs in \`npm test\`. The same seed makes the
same hosts and strikes the same faults in the same order; what meets what by the millisecond is the machine's.

Three NATS servers as one cluster (streams and bucket with three replicas, made so by the classifiers' configuration), two Redis and three
Sentinels, ${CLASSIFIERS} classifiers, ${hosts} hosts of ${HOST.guests} guests that sample every ${facts.periodMs / 1000} s; plans live ${facts.planTtlMs / 1000} s.
${facts.isNamespaced ? "Each server, each classifier and each group of hosts has a network namespace of its own, so that it can be cut off." : "All on one loopback: nothing was cut off."}
Hosts use the collector's publisher and the actuator's acceptance; their guests want everything or next to nothing, so that nobody can argue about
what crosses alpha. One sample in seven is published twice, one in ten again when it is old.

## What must hold

Checked by code that shares nothing with what it checks, at every plan that comes and twice a second in Redis:
${report.plans} plans accepted, ${report.samples} samples stored (${report.repeated} published again), ${report.reads} states of hosts read from Redis.

|                                                                                                    |     |
| -------------------------------------------------------------------------------------------------- | --- |
| lists and counts follow from the samples: each counted once, in order, none left out, none doubled | ${verdictOf(report, "counts")} |
| no plan of an older generation, or on an older sample, is applied                                  | ${verdictOf(report, "older plan")} |
| plans of one generation hold guests alike                                                          | ${verdictOf(report, "generation")} |
| each guest between its floor and its ceiling, in each plan that is applied                         | ${verdictOf(report, "bounds")} |
| each guest in exactly one list of Redis, as its own record says                                    | ${verdictOf(report, "lists")} |
| what a failover lost is there again within two ticks                                               | ${verdictOf(report, "healed")} |

${found.length === 0 ? "" : `${found.join("\n")}\n\n`}A sample that waited until newer ones made its plan void is passed over: that alone is allowed to be left out. Hosts whose plan was not
renewed in time (cut off, or NATS away) went back to their baseline by themselves ${report.expired} times, and came back without help.

**What asynchronous replication forbids to promise.** A commit that the Redis primary acknowledged and its replica had not heard of is gone when
the primary is. Here that were ${loss.ticks} ticks of ${loss.hosts} hosts' lists in Redis. Their plans had been published: they lie in NATS, with classes and counts,
on two of three servers at least. The next tick of a host goes on from the newer of Redis and plan, and writes all of it: every list was
whole again ${loss.healedAfter === 0 ? "with the same tick" : `within ${loss.healedAfter} tick${loss.healedAfter === 1 ? "" : "s"}`}, without any guest changing its list because of it.

## Recovery

From the fault to a host's next plan that rests on a later sample (hosts that were cut off: from the healing), over all hosts, in periods
of ${facts.periodMs / 1000} s. A host whose servers all live takes up to one period: until then it has nothing new to say.

| fault | times | median | longest |
| ----- | ----- | ------ | ------- |
${rows.join("\n")}

A NATS server that is lost is felt for longer than a classifier: its streams elect a new leader after 4 to 9 s, which is built into NATS, and
one after the other where several elections are needed. The load of the machine when it began was ${facts.load.toFixed(1)} (runnable processes, ${cpus} CPUs): times are longer
than they would be on a machine of one's own.
`;
}

function whatOf(kind: string): string {
  return kind === TWO_AT_ONCE
    ? "two of these at once, of different kinds of servers"
    : KINDS[kind as FaultKind].what;
}

function verdictOf({ violations }: ChaosReport, invariant: string): string {
  const wrong = violations.filter((violation) => violation.invariant === invariant).length;
  return wrong === 0 ? "held" : `**broken ${wrong} times**`;
}
