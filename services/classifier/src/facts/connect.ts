/** Joins the classifiers that ask each other: answers for the hosts of this one, and asks for those of others. */
import { performance } from "node:perf_hooks";
import type { Settings } from "@kvm-governor/policy";
import type { Bus, Logger } from "@kvm-governor/service-kit";
import type { Registry } from "prom-client";
import type { History } from "../history.ts";
import type { SeriesStore } from "../series/series.ts";
import type { Views } from "../views.ts";
import { Answering } from "./answering.ts";
import { Asking } from "./asking.ts";
import { createFactsMetrics } from "./metrics.ts";
import { Others } from "./others.ts";

export interface FactsOptions {
  bus: Pick<Bus, "questions">;
  /** Own name among the classifiers. */
  self: string;
  members: () => readonly string[] | undefined;
  views: Views;
  history: History;
  series: SeriesStore;
  settings: () => Settings;
  registry: Registry;
  log: Logger;
  /** Pages of the console that may be open. */
  keptMax: number;
}

/** A request waits for so long for others, in milliseconds; the command line waits ten times as long for its request. */
export const TIMEOUT_MS = 1000;

/** @returns what others know, and the way to leave them */
export function connectFacts(options: FactsOptions): { others: Others; leave: () => void } {
  const { bus, self, members, views, history, series, settings, registry, log, keptMax } = options;
  const metrics = createFactsMetrics(registry);
  const now = Date.now;
  const clock = (): number => performance.now();
  const answering = new Answering({
    self,
    views,
    history,
    series,
    settings,
    startedAtMs: now(),
    metrics,
    log,
    now,
    clock,
  });
  const questions = bus.questions({
    self,
    asked: (question) => answering.asked(question),
    unasked: () => metrics.late.inc(),
  });
  const asking = new Asking({ questions, members, self, metrics, log, now, timeoutMs: TIMEOUT_MS });
  const others = new Others({
    asking,
    now,
    keptMax,
    onError: (error) =>
      log.error(
        { event: "facts-failed", err: error },
        `asking other classifiers failed: ${(error as Error).message}`,
      ),
  });
  return { others, leave: () => questions.stop() };
}
