import { describe, expect, it } from "@jest/globals";
import { HostLane } from "./host-lane.ts";
import type { QueuedSample } from "./host-lane.ts";
import { testMessage } from "./testing/messages.ts";
import type { TestMessage } from "./testing/messages.ts";
import { OTHER_BOOT, sampleOf } from "./testing/samples.ts";

const PLAN_TTL_MS = 10_000;

function queued(tick: number, rest = {}): QueuedSample & { message: TestMessage } {
  const sample = sampleOf("h", tick, [], rest);
  return { sample, message: testMessage("h", sample), arrivedMs: 0 };
}

/** A lane whose work ends when the test says so. */
function openLane() {
  const worked: number[] = [];
  const expired: number[] = [];
  const waiting: (() => void)[] = [];
  let idle = 0;
  const tickOf = ({ sample }: QueuedSample): number => (sample.sequence - 60_000_000) / 1e6;
  const lane = new HostLane({
    work: async (item) => {
      worked.push(tickOf(item));
      await new Promise<void>((resolve) => waiting.push(resolve));
    },
    expired: (item) => expired.push(tickOf(item)),
    planTtlMs: () => PLAN_TTL_MS,
    idle: () => idle++,
  });
  const finishOne = async (): Promise<void> => {
    waiting.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { lane, worked, expired, finishOne, idle: () => idle };
}

describe("HostLane", () => {
  it("works off one sample at a time, in order", async () => {
    const { lane, worked, finishOne, idle } = openLane();
    for (const tick of [1, 2, 3]) lane.offer(queued(tick));
    expect(worked).toEqual([1]);
    await finishOne();
    expect(worked).toEqual([1, 2]);
    await finishOne();
    expect(idle()).toBe(0);
    await finishOne();
    expect(worked).toEqual([1, 2, 3]);
    expect(idle()).toBe(1);
  });

  it("puts a late one where it belongs, never before the one in work", async () => {
    const { lane, worked, finishOne } = openLane();
    for (const tick of [5, 7, 4, 6]) lane.offer(queued(tick));
    for (let i = 0; i < 4; i++) await finishOne();
    expect(worked).toEqual([5, 4, 6, 7]);
  });

  it("keeps one copy of what is delivered again, with the later delivery", async () => {
    const { lane, worked, finishOne } = openLane();
    const [working, waiting] = [queued(1), queued(2)];
    lane.offer(working);
    lane.offer(waiting);
    const [workingAgain, waitingAgain] = [queued(1), queued(2)];
    lane.offer(workingAgain);
    lane.offer(waitingAgain);
    expect(working.message).toBe(workingAgain.message);
    expect(waiting.message).toBe(waitingAgain.message);
    for (let i = 0; i < 3; i++) await finishOne();
    expect(worked).toEqual([1, 2]);
  });

  it("drops what is older than a plan lives, once a newer one is there", async () => {
    const { lane, worked, expired, finishOne } = openLane();
    const stuck = queued(1);
    lane.offer(stuck);
    lane.offer(queued(2));
    lane.offer(queued(3));
    lane.offer(queued(12));
    expect(expired).toEqual([]);
    expect(lane.isExpired(stuck)).toBe(true);
    lane.offer(queued(13));
    expect(expired).toEqual([2]);
    for (let i = 0; i < 4; i++) await finishOne();
    expect(worked).toEqual([1, 3, 12, 13]);
  });

  it("compares no clocks of two boots", () => {
    const { lane, expired } = openLane();
    lane.offer(queued(1));
    lane.offer(queued(2));
    lane.offer(queued(1000, { bootId: OTHER_BOOT }));
    expect(expired).toEqual([]);
  });
});
