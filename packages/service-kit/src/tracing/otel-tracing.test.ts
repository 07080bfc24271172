import { afterAll, beforeEach, describe, expect, it } from "@jest/globals";
import { subjects } from "@kvm-governor/policy";
import { SpanKind, SpanStatusCode } from "@opentelemetry/api";
import { tracing as sdkTracing } from "@opentelemetry/sdk-node";
import { RecordedSpans } from "../../../../test/support/recorded-spans.ts";
import { processSpan, publishSpan } from "./messaging.ts";
import { TRACING_OFF } from "./tracing.ts";

const TRACE_ID = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE_ID}-b7ad6b7169203331-01`;
const NOT_SAMPLED = `00-${TRACE_ID}-b7ad6b7169203331-00`;

const sampler = new sdkTracing.ParentBasedSampler({ root: new sdkTracing.AlwaysOnSampler() });
const recorded = new RecordedSpans(sampler);
const { tracing } = recorded;

beforeEach(() => recorded.reset());
afterAll(() => recorded[Symbol.asyncDispose]());

describe("spans", () => {
  it("nest, also after awaits and beside each other", async () => {
    const tick = (name: string) =>
      tracing.span({ name, root: true }, async () => {
        await Promise.resolve();
        await tracing.span({ name: `${name} read` }, () => new Promise((resolve) => setImmediate(resolve)));
        tracing.span({ name: `${name} write` }, () => undefined);
      });
    await Promise.all([tick("a"), tick("b")]);
    for (const name of ["a", "b"]) {
      for (const part of ["read", "write"]) {
        const [span] = recorded.named(`${name} ${part}`);
        expect(span && recorded.parentOf(span)).toBe(name);
      }
    }
    expect(new Set(recorded.spans.map((span) => span.spanContext().traceId)).size).toBe(2);
  });

  it("give what the work gives, and what it throws", async () => {
    expect(tracing.span({ name: "a" }, () => 7)).toBe(7);
    await expect(tracing.span({ name: "b" }, async () => "later")).resolves.toBe("later");
    const error = new RangeError("too far");
    const fail = (): never => {
      throw error;
    };
    expect(() => tracing.span({ name: "c" }, fail)).toThrow(error);
    await expect(tracing.span({ name: "d" }, async () => fail())).rejects.toBe(error);
    expect(recorded.names).toEqual(["a", "b", "c", "d"]);
    for (const span of [...recorded.named("c"), ...recorded.named("d")]) {
      expect(span.status).toEqual({ code: SpanStatusCode.ERROR, message: "too far" });
      expect(span.attributes["error.type"]).toBe("RangeError");
    }
  });

  it("belong to the span in which work was bound, also when that has ended", () => {
    const later = tracing.span({ name: "tick" }, () =>
      tracing.bind(() => tracing.span({ name: "send" }, () => 1)),
    );
    tracing.span({ name: "another" }, later);
    const [send] = recorded.named("send");
    expect(send && recorded.parentOf(send)).toBe("tick");
  });

  it("may be gone on with from elsewhere", () => {
    tracing.span({ name: "first" }, (first) => {
      tracing.span({ name: "second", root: true }, () => {
        first.within(() => tracing.span({ name: "write" }, () => undefined));
      });
    });
    const [write] = recorded.named("write");
    expect(write && recorded.parentOf(write)).toBe("first");
  });

  it("take milliseconds and less, and end after they began", () => {
    // While the clock still finds out how the wall clock lies to the monotonic one.
    for (let n = 0; n < 50; n++) tracing.span({ name: "one of many" }, () => undefined);
    recorded.reset();
    tracing.span({ name: "outer" }, () => {
      for (let n = 0; n < 50; n++) tracing.span({ name: "another", root: true }, () => undefined);
      recorded.reset();
      tracing.span({ name: "inner" }, () => undefined);
    });
    const [inner, outer] = recorded.spans;
    const at = ([s, ns]: readonly [number, number]): number => s * 1e6 + ns / 1e3;
    if (inner === undefined || outer === undefined) throw new Error("no spans");
    expect(at(inner.startTime)).toBeGreaterThanOrEqual(at(outer.startTime));
    expect(at(inner.endTime)).toBeLessThanOrEqual(at(outer.endTime));
    for (const { duration } of [inner, outer]) expect(at(duration)).toBeLessThan(100_000);
  });
});

describe("messages", () => {
  it("go on with the trace that they came with", () => {
    tracing.span(processSpan("sample", "h1", PARENT), (span) => span.set({ "kvmgov.sequence": 1 }));
    const [span] = recorded.spans;
    expect(span).toMatchObject({
      name: "process kvmgov.v1.sample.{host}.{partition}",
      kind: SpanKind.CONSUMER,
      parentSpanContext: { traceId: TRACE_ID, spanId: "b7ad6b7169203331", isRemote: true },
      attributes: {
        "messaging.system": "nats",
        "messaging.operation.type": "process",
        "messaging.operation.name": "process",
        "messaging.destination.name": subjects.sample("h1"),
        "messaging.destination.template": "kvmgov.v1.sample.{host}.{partition}",
        "kvmgov.host": "h1",
        "kvmgov.sequence": 1,
      },
    });
    expect(span?.spanContext().traceId).toBe(TRACE_ID);
  });

  it("are told with the server that they go to", () => {
    tracing.span({ name: "tick" }, () => {
      for (const server of ["10.0.0.1:4222", "[::1]:4222", undefined]) {
        tracing.span(publishSpan("plan", "h1", server), () => undefined);
      }
    });
    expect(
      recorded
        .named("publish $KV.plans.{host}")
        .map(({ attributes: a }) => [a["server.address"], a["server.port"]]),
    ).toEqual([
      ["10.0.0.1", 4222],
      ["::1", 4222],
      [undefined, undefined],
    ]);
  });

  it("send the identity of the span that publishes them", () => {
    tracing.span({ name: "tick" }, () =>
      tracing.span(publishSpan("sample", "h1", undefined), ({ traceparent }) => {
        expect(traceparent).toMatch(/^00-[0-9a-f]{32}-[0-9a-f]{16}-01$/);
      }),
    );
    const [publish] = recorded.named("publish kvmgov.v1.sample.{host}.{partition}");
    expect(publish && recorded.parentOf(publish)).toBe("tick");
  });

  it.each([
    ["empty", ""],
    ["very long", "x".repeat(100_000)],
    ["of another version", `01-${TRACE_ID}-b7ad6b7169203331-01`],
    ["of no trace", `00-${"0".repeat(32)}-b7ad6b7169203331-01`],
    ["more than one line", `${PARENT}\n`],
  ])("begin a trace of their own where theirs is %s", (_what, traceparent) => {
    tracing.span(processSpan("sample", "h1", traceparent), () => undefined);
    expect(recorded.spans.map(({ parentSpanContext }) => parentSpanContext)).toEqual([undefined]);
  });

  it("are not traced outside of a tick", () => {
    const work = ({ traceparent }: { traceparent: string | undefined }): unknown => traceparent;
    expect(tracing.span(publishSpan("applied", "h1", undefined), work)).toBeUndefined();
    expect(tracing.span(processSpan("applied", "h1", undefined), work)).toBeUndefined();
    expect(tracing.span(processSpan("plan", "h1", "nonsense"), work)).toBeUndefined();
    expect(recorded.names).toEqual([]);
  });

  it("hand on that a trace is not sampled, and record nothing of it", () => {
    const sent = tracing.span(processSpan("sample", "h1", NOT_SAMPLED), () =>
      tracing.span(publishSpan("plan", "h1", undefined), ({ traceparent }) => traceparent),
    );
    expect(sent).toMatch(new RegExp(`^00-${TRACE_ID}-[0-9a-f]{16}-00$`));
    expect(recorded.names).toEqual([]);
  });
});

describe("log lines", () => {
  it("carry the span that is open, and nothing outside", () => {
    expect(tracing.logFields()).toEqual({});
    tracing.span(processSpan("sample", "h1", PARENT), () => {
      expect(tracing.logFields()).toEqual({
        trace_id: TRACE_ID,
        span_id: expect.stringMatching(/^[0-9a-f]{16}$/),
        trace_flags: "01",
      });
    });
  });
});

describe("without tracing", () => {
  it("runs the work, and has nothing to send", async () => {
    expect(TRACING_OFF.span({ name: "a" }, ({ traceparent }) => traceparent)).toBeUndefined();
    await expect(TRACING_OFF.span({ name: "b" }, async () => 1)).resolves.toBe(1);
    expect(TRACING_OFF.bind(() => 2)()).toBe(2);
    expect(TRACING_OFF.logFields()).toEqual({});
    expect(recorded.names).toEqual([]);
  });
});
