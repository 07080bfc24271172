import { describe, expect, it } from "@jest/globals";
import { JetStreamApiError } from "@nats-io/jetstream";
import { NoRespondersError, RequestError, TimeoutError } from "@nats-io/transport-node";
import { isSilence, Silence } from "./silence.ts";

const api = (err_code: number): JetStreamApiError =>
  new JetStreamApiError({ code: 503, err_code, description: "said so" });

describe("isSilence", () => {
  it.each([
    ["a request that timed out", new TimeoutError(), true],
    ["nobody there", new NoRespondersError("x"), true],
    ["a request that nobody took", new RequestError("x", { cause: new NoRespondersError("x") }), true],
    ["a cluster without a leader", api(10008), true],
    ["one of these as a cause", new Error("plan of h", { cause: new TimeoutError() }), true],
    ["an answer that refuses", api(10071), false],
    ["any other error", new Error("x"), false],
    ["no error", undefined, false],
  ])("%s: %p", (_what, error, silent) => expect(isSilence(error)).toBe(silent));
});

describe("Silence", () => {
  it("is told when it lasts, and begins anew then", () => {
    let nowMs = 0;
    const silence = new Silence(() => nowMs);
    const failAt = (ms: number): boolean => {
      nowMs = ms;
      return silence.failed(new TimeoutError());
    };
    expect([0, 2000, 5999].map(failAt)).toEqual([false, false, false]);
    expect(failAt(6000)).toBe(true);
    expect(failAt(7000)).toBe(false);
    expect(failAt(13_000)).toBe(true);
  });

  it("ends with an answer, and not with an error that is one", () => {
    let nowMs = 0;
    const silence = new Silence(() => nowMs);
    expect(silence.failed(new TimeoutError())).toBe(false);
    silence.end();
    nowMs = 7000;
    expect(silence.failed(new Error("refused"))).toBe(false);
    expect(silence.failed(new TimeoutError())).toBe(false);
  });
});
