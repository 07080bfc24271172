import { afterAll, beforeEach, expect, it } from "@jest/globals";
import { parseContract, planSchema, presetSettings } from "@kvm-governor/policy";
import { createLogger, processSpan } from "@kvm-governor/service-kit";
import type { PlanEntry } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { RecordedSpans } from "../../../test/support/recorded-spans.ts";
import { createMetrics } from "./metrics.ts";
import { Refusals } from "./refusal.ts";
import { SampleLoop } from "./sample-loop.ts";
import { MemoryStore } from "./store/memory-store.ts";
import { StoreUnavailableError } from "./store/store.ts";
import { testMessage } from "./testing/messages.ts";
import { guestSample, sampleOf } from "./testing/samples.ts";
import type { PlanStore } from "./published-plans.ts";
import { Ticker } from "./ticker.ts";

const recorded = new RecordedSpans();
const { tracing } = recorded;
const log = createLogger("test", "silent");
const busy = (tick: number) => sampleOf("h", tick, [guestSample(1, { run: 1 })]);
const parent = (tick: number): string => `00-${String(tick).padStart(32, "a")}-00f067aa0ba902b7-01`;

beforeEach(() => recorded.reset());
afterAll(() => recorded[Symbol.asyncDispose]());

/** One plan in memory. */
class OnePlan implements PlanStore {
  #entry: PlanEntry | undefined;
  get(): Promise<PlanEntry | undefined> {
    return Promise.resolve(this.#entry);
  }
  put(host: string, plan: string, revision: number): Promise<number> {
    parseContract(planSchema, plan, "plan");
    this.#entry = { host, data: Buffer.from(plan), revision: revision + 1 };
    return Promise.resolve(revision + 1);
  }
}

function openTicker(store: MemoryStore, plans: PlanStore): Ticker {
  const settings = presetSettings("default");
  return new Ticker({
    store,
    plans,
    metrics: createMetrics(new Registry()),
    settings: () => settings,
    topologyOf: () => undefined,
    log,
    committed: () => undefined,
    tracing,
  });
}

it("shows how a tick that lost its commit was decided again", async () => {
  const [store, plans] = [new MemoryStore(), new OnePlan()];
  const [one, two] = [openTicker(store, plans), openTicker(store, plans)];
  await one.tick(busy(1));
  await two.tick(busy(2));
  recorded.reset();
  await tracing.span(processSpan("sample", "h", parent(3)), () => one.tick(busy(3)));
  const [process] = recorded.named("process kvmgov.v1.sample.{host}.{partition}");
  expect(recorded.names).toEqual([
    "decide",
    "commit state",
    "load state",
    "decide",
    "commit state",
    "process kvmgov.v1.sample.{host}.{partition}",
  ]);
  expect(recorded.named("commit state").map(({ attributes }) => attributes["kvmgov.commit"])).toEqual([
    "conflict",
    "committed",
  ]);
  for (const span of recorded.spans) {
    if (span !== process) expect(recorded.parentOf(span)).toBe("process kvmgov.v1.sample.{host}.{partition}");
  }
});

it("shows what became of each message: worked off, tried again, refused, expired, given back", async () => {
  const metrics = createMetrics(new Registry());
  const stop = new AbortController();
  let isAway = false;
  const ticker = {
    tick: () =>
      isAway ? Promise.reject(new StoreUnavailableError("away")) : Promise.resolve("decided" as const),
  };
  const loop = new SampleLoop({
    onDuplicateHost: () => undefined,
    ticker,
    refusals: new Refusals({ log, metrics, now: () => 0, setAside: () => undefined }),
    metrics,
    log,
    planTtlMs: () => 10_000,
    signal: stop.signal,
    now: () => performance.now(),
    tracing,
  });
  const offer = (tick: number, body: unknown = busy(tick)): void =>
    void loop.offer({ ...testMessage("h", body), traceparent: parent(tick) });
  offer(1);
  offer(2, "{}");
  await new Promise((resolve) => setTimeout(resolve, 20));
  isAway = true;
  offer(3);
  offer(4);
  // Much newer: those before are worth nothing any more.
  offer(100);
  await new Promise((resolve) => setTimeout(resolve, 200));
  stop.abort();
  await loop.stopped();
  const told = Object.fromEntries(
    recorded.spans.map((span) => [
      span.spanContext().traceId.replaceAll("a", ""),
      span.attributes["kvmgov.outcome"] ?? span.attributes["error.type"],
    ]),
  );
  expect(told).toEqual({
    "1": "decided",
    "2": "invalid",
    "3": "expired",
    "4": "expired",
    "100": "given-back",
  });
  const last = recorded.spans.find((span) => span.spanContext().traceId.endsWith("a100"));
  // Said once, however often it was tried.
  expect(last?.events.map(({ name }) => name)).toEqual(["retry"]);
});
