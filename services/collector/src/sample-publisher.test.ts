import { describe, expect, it } from "@jest/globals";
import type { Sample } from "@kvm-governor/policy";
import { RecordedSpans } from "../../../test/support/recorded-spans.ts";
import { SamplePublisher, type SampleBus } from "./sample-publisher.ts";

const sampleOf = (sequence: number): Sample => ({ host: "h", sequence }) as unknown as Sample;
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

class FakeBus implements SampleBus {
  up = true;
  sent: number[] = [];
  #listeners = new Set<() => void>();
  #pending: { resolve: () => void; reject: (error: Error) => void }[] = [];

  publish(_kind: "sample", _host: string, value: unknown): Promise<void> {
    this.sent.push((value as Sample).sequence);
    return new Promise((resolve, reject) => this.#pending.push({ resolve, reject }));
  }
  onUp(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
  answer(error?: Error): Promise<void> {
    const pending = this.#pending.shift();
    if (error === undefined) pending?.resolve();
    else pending?.reject(error);
    return settled();
  }
  comeUp(): void {
    this.up = true;
    for (const listener of this.#listeners) listener();
  }
}

function publishing(bus = new FakeBus()) {
  const clock = { now: 0 };
  const published: number[] = [];
  const dropped: string[] = [];
  const publisher = new SamplePublisher({
    bus,
    nowMs: () => clock.now,
    periodMs: 1000,
    onPublished: ({ sequence }) => published.push(sequence),
    onDropped: (reason) => dropped.push(reason),
  });
  return { bus, clock, published, dropped, publisher };
}

describe("SamplePublisher", () => {
  it("has one on its way and one waiting, the newest", async () => {
    const { bus, publisher, published, dropped } = publishing();
    for (const sequence of [1, 2, 3]) publisher.offer(sampleOf(sequence));
    expect(bus.sent).toEqual([1]);
    await bus.answer();
    await bus.answer();
    expect([bus.sent, published, dropped]).toEqual([[1, 3], [1, 3], ["replaced"]]);
  });

  it("sends at once when the bus comes back within the period", async () => {
    const { bus, publisher, clock, published } = publishing();
    bus.up = false;
    publisher.offer(sampleOf(1));
    clock.now = 900;
    bus.comeUp();
    await bus.answer();
    expect(published).toEqual([1]);
  });

  it("drops what waited for longer than a period", () => {
    const { bus, publisher, clock, dropped } = publishing();
    bus.up = false;
    publisher.offer(sampleOf(1));
    clock.now = 1001;
    bus.comeUp();
    expect([bus.sent, dropped]).toEqual([[], ["stale"]]);
  });

  it("goes on after a sample that the bus refused", async () => {
    const { bus, publisher, published, dropped } = publishing();
    publisher.offer(sampleOf(1));
    await bus.answer(new Error("no stream"));
    publisher.offer(sampleOf(2));
    await bus.answer();
    expect([published, dropped]).toEqual([[2], ["failed"]]);
  });

  it("sends each sample in the trace of its own tick, however late", async () => {
    await using recorded = new RecordedSpans();
    const { tracing } = recorded;
    const bus = new FakeBus();
    const inTrace = { "1": "", "2": "" };
    bus.publish = (_kind, _host, value) =>
      tracing.span({ name: "publish" }, async ({ traceparent = "" }) => {
        inTrace[String((value as Sample).sequence) as "1" | "2"] = traceparent.slice(3, 35);
        await settled();
      });
    const publisher = new SamplePublisher({
      bus,
      nowMs: () => 0,
      periodMs: 1000,
      onPublished: () => undefined,
      onDropped: () => undefined,
      tracing,
    });
    const tick = (sequence: number): string =>
      tracing.span({ name: `tick ${sequence}`, root: true }, ({ traceparent = "" }) => {
        publisher.offer(sampleOf(sequence));
        return traceparent.slice(3, 35);
      });
    const ids = [tick(1), tick(2)];
    while (recorded.named("publish").length < 2) await settled();
    expect([inTrace["1"], inTrace["2"]]).toEqual(ids);
    expect(recorded.named("publish").map((span) => recorded.parentOf(span))).toEqual(["tick 1", "tick 2"]);
  });

  it("waits for what is on its way when it closes, and sends no more", async () => {
    const { bus, publisher, published } = publishing();
    publisher.offer(sampleOf(1));
    publisher.offer(sampleOf(2));
    const closed = publisher.close();
    await bus.answer();
    await closed;
    expect([published, bus.sent]).toEqual([[1], [1]]);
  });
});
