import { describe, expect, it } from "@jest/globals";
import { ContractVersionError } from "@kvm-governor/policy";
import type { Sample } from "@kvm-governor/policy";
import { createLogger } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import { createMetrics } from "./metrics.ts";
import { Refusals } from "./refusal.ts";
import { AT_WORK_MAX, IN_HAND_MAX, SampleLoop } from "./sample-loop.ts";
import { LaterStateError, StoreUnavailableError } from "./store/store.ts";
import { testMessage } from "./testing/messages.ts";
import type { TestMessage } from "./testing/messages.ts";
import { sampleOf } from "./testing/samples.ts";
import { PlansUnavailableError } from "./published-plans.ts";

const log = createLogger("test", "silent");

function openLoop(tick: (sample: Sample) => Promise<"decided" | "repeated">) {
  const metrics = createMetrics(new Registry());
  const stop = new AbortController();
  const loop = new SampleLoop({
    onDuplicateHost: () => undefined,
    ticker: { tick },
    refusals: new Refusals({ log, metrics, now: () => 0, setAside: () => undefined }),
    metrics,
    log,
    planTtlMs: () => 10_000,
    signal: stop.signal,
    now: () => performance.now(),
  });
  const outcome = async (name: string): Promise<number | undefined> =>
    (await metrics.decisions.get()).values.find(({ labels }) => labels.outcome === name)?.value;
  return { loop, stop, metrics, outcome };
}

async function ended(message: TestMessage): Promise<string[]> {
  for (let i = 0; i < 200 && message.ends.length === 0; i++)
    await new Promise((resolve) => setTimeout(resolve, 10));
  return message.ends;
}

const message = (tick: number, host = "h"): TestMessage => testMessage(host, sampleOf(host, tick, []));

describe("SampleLoop", () => {
  it.each([
    ["the store", new StoreUnavailableError("away")],
    ["the bus", new PlansUnavailableError("away")],
  ])("tries again while %s is away, and holds back those behind", async (_what, error) => {
    const seen: number[] = [];
    let away = 2;
    const { loop, outcome } = openLoop(async (sample) => {
      seen.push(sample.sequence);
      if (away-- > 0) throw error;
      return "decided";
    });
    const [one, two] = [message(1), message(2)];
    void loop.offer(one);
    void loop.offer(two);
    expect(await ended(two)).toEqual(["ack"]);
    expect(one.ends).toEqual(["ack"]);
    expect(seen.map((sequence) => sequence / 1e6 - 60)).toEqual([1, 1, 1, 2]);
    expect(await outcome("decided")).toBe(2);
  });

  it("does not let one host wait for another", async () => {
    const { loop, stop } = openLoop(async ({ host }) => {
      if (host === "stuck") throw new StoreUnavailableError("away");
      return "decided";
    });
    const stuck = message(1, "stuck");
    const fine = message(1, "fine");
    void loop.offer(stuck);
    void loop.offer(fine);
    expect(await ended(fine)).toEqual(["ack"]);
    expect(stuck.ends).toEqual([]);
    stop.abort();
    await loop.stopped();
    expect(stuck.ends).toEqual(["nak"]);
  });

  it.each([
    ["an error that does not go away", "failed", new TypeError("a defect")],
    ["a host that a later version stores", "newer-version", new LaterStateError("h", "version 2")],
    ["a plan of a later version", "newer-version", new ContractVersionError("plan", "schema", "is 2")],
  ])("gives up the sample, not the loop, at %s", async (_what, reason, error) => {
    const { loop, metrics } = openLoop(async ({ sequence }) => {
      if (sequence === 61_000_000) throw error;
      return "decided";
    });
    const [bad, good] = [message(1), message(2)];
    void loop.offer(bad);
    void loop.offer(good);
    expect(await ended(good)).toEqual(["ack"]);
    expect(bad.ends).toEqual([`term: ${reason}`]);
    expect((await metrics.refused.get()).values).toMatchObject([{ labels: { reason }, value: 1 }]);
  });

  it("skips a sample that grew too old while it waited", async () => {
    const { loop, outcome } = openLoop(async ({ sequence }) => {
      if (sequence < 72_000_000) throw new StoreUnavailableError("away");
      return "decided";
    });
    const [old, fresh] = [message(1), message(12)];
    void loop.offer(old);
    void loop.offer(fresh);
    expect(await ended(fresh)).toEqual(["ack"]);
    expect(old.ends).toEqual(["ack"]);
    expect(await outcome("expired")).toBe(1);
  });

  it("takes no more than there is room for, and takes more when there is room again", async () => {
    const waiting: (() => void)[] = [];
    const { loop } = openLoop(() => new Promise((resolve) => void waiting.push(() => resolve("decided"))));
    const answers = Array.from({ length: AT_WORK_MAX }, (_, n) => loop.offer(message(1, `h${n}`)));
    expect(answers.slice(0, -1).every((answer) => answer === undefined)).toBe(true);
    let isRoom = false;
    void answers.at(-1)?.then(() => (isRoom = true));
    // The same message delivered again takes no room: it must not count twice when it is done.
    const again = loop.offer(message(1, "h0"));
    await new Promise((resolve) => setImmediate(resolve));
    expect(isRoom).toBe(false);
    waiting.shift()?.();
    waiting.shift()?.();
    await again;
    expect(isRoom).toBe(true);
    expect(loop.offer(message(2, "h0"))).toBeUndefined();
  });

  it("lets everybody go on who waits, also where more wait than are at work", async () => {
    const waiting: (() => void)[] = [];
    const { loop } = openLoop(() => new Promise((resolve) => void waiting.push(() => resolve("decided"))));
    const answers = Array.from({ length: 2 * AT_WORK_MAX + 8 }, (_, n) => loop.offer(message(1, `h${n}`)));
    let left = answers.filter((answer) => answer !== undefined).length;
    expect(left).toBe(AT_WORK_MAX + 9);
    for (const answer of answers) void answer?.then(() => left--);
    for (const end of waiting.splice(0)) end();
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(left).toBe(0);
  });

  it("goes on with other hosts while what is away holds up more hosts than are worked off at a time, up to a bound", async () => {
    let isAway = true;
    const { loop, stop } = openLoop(async ({ host }) => {
      if (isAway && host.startsWith("held-up")) throw new StoreUnavailableError("away");
      return "decided";
    });
    const offers = Array.from({ length: IN_HAND_MAX - 1 }, (_, n) => message(1, `held-up-${n}`));
    for (const offer of offers) await loop.offer(offer);
    const other = message(1, "other");
    const answer = loop.offer(other);
    expect(await ended(other)).toEqual(["ack"]);
    await answer;
    let isRoom = false;
    const last = loop.offer(message(1, "held-up-last"));
    void last?.then(() => (isRoom = true));
    await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isRoom).toBe(false);
    isAway = false;
    expect(await ended(offers[0] as TestMessage)).toEqual(["ack"]);
    await last;
    stop.abort();
    await loop.stopped();
  });

  it("gives back everything at a stop, and takes nothing any more", async () => {
    let ticks = 0;
    const { loop, stop } = openLoop(async () => {
      ticks++;
      throw new StoreUnavailableError("away");
    });
    const messages = [1, 2, 3].map((tick) => message(tick));
    for (const each of messages) void loop.offer(each);
    stop.abort();
    await loop.stopped();
    const late = message(4);
    void loop.offer(late);
    expect([...messages, late].map(({ ends }) => ends)).toEqual([["nak"], ["nak"], ["nak"], ["nak"]]);
    expect(ticks).toBe(1);
  });
});
