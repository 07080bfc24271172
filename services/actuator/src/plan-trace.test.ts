import { afterAll, beforeEach, describe, expect, it } from "@jest/globals";
import type { Plan } from "@kvm-governor/policy";
import { InProcessActuator } from "../../../test/support/in-process-actuator.ts";
import { RecordedSpans } from "../../../test/support/recorded-spans.ts";
import { PlanInbox } from "./plan-inbox.ts";
import { PlanTrace } from "./plan-trace.ts";

const recorded = new RecordedSpans();
beforeEach(() => recorded.reset());
afterAll(() => recorded[Symbol.asyncDispose]());

const BOOT = "fcb5ddbd-19aa-478b-b3ea-f986bf459774";
const context = { host: "h1", bootId: BOOT, nowUs: 1, planTtlMsMax: 60_000 };
const traceparent = (n: number): string =>
  `00-${String(n).padStart(32, "b")}-${String(n).padStart(16, "c")}-01`;
const PROCESS = "process $KV.plans.{host}";

function bytes(
  generation: number,
  sequence: number,
  more: object = { traceparent: traceparent(sequence) },
): Buffer {
  const plan: Plan = {
    schema: 1,
    host: "h1",
    bootId: BOOT,
    generation,
    sequence,
    expiresAtUs: 20_000_000,
    preset: "default",
    guests: [],
  };
  return Buffer.from(JSON.stringify({ ...plan, ...more }));
}

function received() {
  const inbox = new PlanInbox();
  const trace = new PlanTrace(recorded.tracing, "h1");
  const receive = <T>(data: Buffer, work: () => T) => trace.run(inbox.put(data, context), work);
  return { inbox, trace, receive };
}

describe("spans of plans", () => {
  it("go on with the trace that the plan came with; renewals point to the plan that they renew", () => {
    const { receive } = received();
    for (const [generation, sequence] of [
      [1, 1],
      [1, 2],
      [1, 3],
      [2, 4],
      [2, 5],
    ] as const) {
      receive(bytes(generation, sequence), () => undefined);
    }
    const spans = recorded.named(PROCESS);
    expect(spans.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
      [1, 2, 3, 4, 5].map((n) => String(n).padStart(16, "c")),
    );
    expect(
      spans.map(({ links }) => links.map(({ context: { spanId } }) => spanId.replaceAll("c", ""))),
    ).toEqual([[], ["1"], ["1"], [], ["4"]]);
  });

  it("say that a plan was refused, and why", () => {
    const { receive } = received();
    receive(bytes(1, 1, { expiresAtUs: 1, traceparent: traceparent(1) }), () => undefined);
    expect(recorded.spans).toMatchObject([{ name: PROCESS, attributes: { "error.type": "expired" } }]);
  });

  it.each([
    ["none", {}],
    ["nonsense", { traceparent: "nonsense" }],
    ["a number", { traceparent: 7 }],
    ["too long a text", { traceparent: "x".repeat(1000) }],
  ])("are none, and the plan is followed, where its traceparent is %s", (_what, more) => {
    const { inbox, receive } = received();
    expect(receive(bytes(1, 1, more), () => inbox.take()?.plan)).toMatchObject({
      generation: 1,
      sequence: 1,
    });
    expect(inbox.followed?.plan).not.toHaveProperty("traceparent");
    expect(recorded.names).toEqual([]);
  });

  it("say that a plan was replaced before it was worked off", async () => {
    const { receive } = received();
    const one = receive(bytes(1, 1), () => new Promise((resolve) => setImmediate(resolve)));
    receive(bytes(1, 2), () => undefined);
    await one;
    const outcomes = recorded.spans.map(({ attributes }) => attributes["kvmgov.outcome"]);
    expect(outcomes).toEqual([undefined, "replaced"]);
  });

  it("begin a trace where all is taken back, and point to the plan that ends", () => {
    const { inbox, receive, trace } = received();
    receive(bytes(1, 1), () => inbox.take());
    recorded.tracing.span({ name: "another" }, () =>
      trace.takeBack("expired", inbox.followed, () => undefined),
    );
    const [back] = recorded.named("take back");
    expect(back).toMatchObject({
      parentSpanContext: undefined,
      attributes: { "kvmgov.host": "h1", "kvmgov.switch.reason": "expired" },
      links: [{ context: { spanId: "ccccccccccccccc1" } }],
    });
  });
});

describe("the work on a plan", () => {
  it("is in the trace of that plan, also where it is done in the turn of one that it replaced", async () => {
    await using bench = new InProcessActuator({ guests: () => [], tracing: recorded.tracing });
    const published = (n: number): Buffer =>
      Buffer.from(JSON.stringify({ ...bench.plan([]), traceparent: traceparent(n) }));
    await Promise.all([1, 2].map((n) => bench.actuator.receive(published(n))));
    const [apply, ...more] = recorded.named("apply plan");
    expect(more).toEqual([]);
    expect(apply?.spanContext().traceId).toBe(traceparent(2).slice(3, 35));
    expect(recorded.named(PROCESS).map(({ attributes }) => attributes["kvmgov.outcome"])).toEqual([
      "replaced",
      undefined,
    ]);
  });
});
