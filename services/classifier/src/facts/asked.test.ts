import { describe, expect, it } from "@jest/globals";
import { Asked, KEPT_MS } from "./asked.ts";

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Answers with the number of the question, when it is told to. */
function asking() {
  const state = { now: 1000, asked: 0, before: [] as (number | undefined)[], errors: [] as unknown[] };
  const waiting: ((error?: Error) => void)[] = [];
  const asked = new Asked<number>({
    ask: (before) => {
      state.asked += 1;
      state.before.push(before);
      const n = state.asked;
      return new Promise((resolve, reject) =>
        waiting.push((error) => (error === undefined ? resolve(n) : reject(error))),
      );
    },
    everyMs: () => 1000,
    now: () => state.now,
    onError: (error) => state.errors.push(error),
  });
  const answer = async (error?: Error): Promise<void> => {
    waiting.shift()?.(error);
    await turn();
  };
  return { state, asked, answer };
}

describe("what is looked at", () => {
  it("is as of the last answer, and the next one is asked for once in its time", async () => {
    const { state, asked, answer } = asking();
    expect(asked.look()).toBeUndefined();
    expect(asked.isPending).toBe(true);
    asked.look();
    expect(state.asked).toBe(1);
    await answer();
    expect(asked.isPending).toBe(false);
    expect(asked.look()).toBe(1);
    state.now += 999;
    asked.look();
    expect(state.asked).toBe(1);
    state.now += 1;
    expect(asked.look()).toBe(1);
    expect(state.asked).toBe(2);
    expect(asked.isPending).toBe(false);
    await answer();
    expect(asked.look()).toBe(2);
  });

  it("is asked for by nobody who does not look", async () => {
    const { state, asked, answer } = asking();
    asked.look();
    await answer();
    state.now += 3_600_000;
    expect(asked.recent).toBeUndefined();
    expect(state.asked).toBe(1);
  });

  it("is not shown when nobody has looked for long", async () => {
    const { state, asked, answer } = asking();
    asked.look();
    await answer();
    state.now += KEPT_MS + 1;
    expect(asked.look()).toBeUndefined();
    expect(asked.isPending).toBe(true);
    expect(state.before).toEqual([undefined, undefined]);
    await answer();
    state.now += 1000;
    asked.look();
    expect(state.before[2]).toBe(2);
  });

  it("stays where asking fails, which is told", async () => {
    const { state, asked, answer } = asking();
    asked.look();
    await answer();
    state.now += 1000;
    asked.look();
    const failure = new Error("x");
    await answer(failure);
    expect(state.errors).toEqual([failure]);
    expect(asked.look()).toBe(1);
  });
});

it("waits for an answer, and all who wait get the same one", async () => {
  const { state, asked, answer } = asking();
  const both = Promise.all([asked.get(), asked.get()]);
  await answer();
  expect(await both).toEqual([1, 1]);
  expect(await asked.get()).toBe(1);
  state.now += 1000;
  const next = asked.get();
  await answer();
  expect(await next).toBe(2);
});
