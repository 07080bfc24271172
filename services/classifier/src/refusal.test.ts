import { beforeEach, describe, expect, it } from "@jest/globals";
import { sampleSchema } from "@kvm-governor/policy";
import { createLogger } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { createMetrics } from "./metrics.ts";
import type { ClassifierMetrics } from "./metrics.ts";
import { MessageRefusedError, Refusals, readMessage } from "./refusal.ts";
import { testMessage } from "./testing/messages.ts";
import { guestSample, sampleOf } from "./testing/samples.ts";

const good = sampleOf("h1", 1, [guestSample(1, { run: 0.5 })]);
const read = (body: unknown, host = "h1"): unknown =>
  readMessage(sampleSchema, "sample", testMessage(host, body));

function refusalOf(body: unknown, host = "h1"): MessageRefusedError {
  try {
    read(body, host);
  } catch (error) {
    if (error instanceof MessageRefusedError) return error;
    throw error;
  }
  throw new Error("was not refused");
}

describe("readMessage", () => {
  it("reads a sample, unknown fields included", () => {
    expect(read({ ...good, later: { than: "this" } })).toEqual(good);
  });

  it.each([
    ["no JSON", "{", "not-json", /is not JSON/],
    ["no UTF-8", new Uint8Array([0xff, 0xfe, 0x00]), "not-json", /is not JSON/],
    ["nothing", "", "not-json", /is not JSON/],
    ["no object", "[]", "invalid", /sample on kvmgov\.v1\.sample\.h1/],
    ["a later version", { ...good, schema: 2 }, "newer-version", /version 2 of the contracts/],
    ["a field missing", { ...good, hostRun: undefined }, "invalid", /hostRun/],
    [
      "a guest's field wrong",
      sampleOf("h1", 1, [{ ...guestSample(1, { run: 0 }), uuid: "X" }]),
      "invalid",
      /guests\[0\]\.uuid/,
    ],
    ["deeply nested", "[".repeat(500_000), "too-deep", /32 deep/],
    ["deeply nested, closed", "[".repeat(400_000) + "]".repeat(400_000), "too-deep", /32 deep/],
    ["a huge array", { ...good, guests: Array.from({ length: 100_000 }, () => 1) }, "invalid", /guests/],
    ["too long", JSON.stringify({ ...good, pad: "x".repeat(1024 * 1024) }), "oversized", /1048576/],
  ])("refuses %s by reason", (_what, body, reason, message) => {
    const error = refusalOf(body);
    expect(error.reason).toBe(reason);
    expect(error.message).toMatch(message);
    expect(error.message.length).toBeLessThan(500);
  });

  it("refuses a host that speaks for another one", () => {
    const error = refusalOf({ ...good, host: "h2" });
    expect(error.reason).toBe("wrong-host");
    expect(error.message).toContain("h2");
  });
});

describe("Refusals", () => {
  let metrics: ClassifierMetrics;
  beforeEach(() => {
    metrics = createMetrics(new Registry());
  });

  it("counts all and logs one a minute for each host and reason", async () => {
    const lines: unknown[] = [];
    const log = createLogger("test", "silent");
    log.warn = (fields: unknown) => void lines.push(fields);
    let now = 0;
    const aside: string[] = [];
    const refusals = new Refusals({
      log,
      metrics,
      now: () => now,
      setAside: (kind, message, reason, text) =>
        void aside.push(`${kind} of ${message.host}: ${reason}: ${text}`),
    });
    const error = new MessageRefusedError("invalid", "sample on x: wrong");
    const messages = [1, 2, 3].map(() => testMessage("h1", "{"));
    for (const message of messages) refusals.refuse("sample", message, error);
    refusals.refuse("sample", testMessage("h2", "{"), error);
    now = 60_000;
    refusals.refuse("sample", testMessage("h1", "{"), error);
    expect(lines).toEqual([
      { event: "sample-refused", host: "h1", reason: "invalid" },
      { event: "sample-refused", host: "h2", reason: "invalid" },
      { event: "sample-refused", host: "h1", reason: "invalid" },
    ]);
    expect(messages.map(({ ends }) => ends)).toEqual([
      ["term: invalid"],
      ["term: invalid"],
      ["term: invalid"],
    ]);
    expect(aside).toHaveLength(5);
    expect(aside[0]).toBe("sample of h1: invalid: sample on x: wrong");
    expect((await metrics.refused.get()).values).toMatchObject([
      { labels: { kind: "sample", reason: "invalid" }, value: 5 },
    ]);
  });
});
