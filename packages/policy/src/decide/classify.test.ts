import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { presetSettings } from "../settings.ts";
import { classify, firstClass } from "./classify.ts";
import type { Classified } from "./classify.ts";
import type { GuestUse } from "./use.ts";

const AUTO = { class: "auto" } as const;
const settings = presetSettings("paper", { alpha: 0.7, beta: 3 });

const using = (usage: number, demand = usage): GuestUse => ({
  usage,
  demand,
  delay: 0,
  vcpuDemand: [demand],
});

/** Counts of a guest, period after period, under these uses. */
function follow(start: Pick<Classified, "class" | "count">, uses: readonly number[]): Classified[] {
  let state = start;
  return uses.map((usage) => {
    const classified = classify(state, AUTO, using(usage), settings);
    state = classified;
    return classified;
  });
}

describe("Algorithm 1", () => {
  it("counts up in LIST_se at or above alpha, else down", () => {
    const counts = follow({ class: "service", count: 0 }, [0.7, 0.9, 0.69, 0.7]).map(({ count }) => count);
    expect(counts).toEqual([1, 2, 1, 2]);
  });

  it("counts up in LIST_sc below alpha, else down", () => {
    const counts = follow({ class: "scientific", count: 0 }, [0.69, 0, 0.7, 0.1]).map(({ count }) => count);
    expect(counts).toEqual([1, 2, 1, 2]);
  });

  it("never counts below 0", () => {
    const counts = follow({ class: "service", count: 1 }, [0, 0, 0, 0.9]).map(({ count }) => count);
    expect(counts).toEqual([0, 0, 0, 1]);
  });

  it("holds the chosen signal against alpha", () => {
    const held = using(0.25, 1);
    expect(classify({ class: "service", count: 0 }, AUTO, held, settings).crossed).toBe(true);
    const byRun = { ...settings, signal: "run" } as const;
    expect(classify({ class: "service", count: 0 }, AUTO, held, byRun).crossed).toBe(false);
    expect(classify({ class: "scientific", count: 0 }, AUTO, held, settings).crossed).toBe(false);
    expect(classify({ class: "scientific", count: 0 }, AUTO, held, byRun).crossed).toBe(true);
  });
});

describe("Algorithm 2", () => {
  it.each([
    ["service", "scientific", 1],
    ["scientific", "service", 0],
  ] as const)("moves from %s to %s at more than beta, with the count at 0", (from, to, usage) => {
    const steps = follow({ class: from, count: 0 }, [usage, usage, usage, usage]);
    expect(steps.slice(0, 3).map((step) => [step.class, step.count])).toEqual([
      [from, 1],
      [from, 2],
      [from, 3],
    ]);
    expect(steps[3]).toEqual({ class: to, count: 0, crossed: true, movedFrom: from });
  });

  it("moves at once with a beta of 0", () => {
    const now = classify({ class: "service", count: 0 }, AUTO, using(1), { ...settings, beta: 0 });
    expect(now).toMatchObject({ class: "scientific", count: 0 });
  });

  it("moves a guest only when it crosses, even if beta was lowered", () => {
    const lowered = { ...settings, beta: 2 };
    expect(classify({ class: "service", count: 9 }, AUTO, using(0), lowered)).toMatchObject({ count: 1 });
    expect(classify({ class: "service", count: 9 }, AUTO, using(1), lowered).class).toBe("scientific");
  });

  it("keeps the count between 0 and beta, whatever a guest does", () => {
    const loads = fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 60 });
    fc.assert(
      fc.property(loads, (uses) => {
        let before: Classified["class"] = "service";
        for (const { class: list, count, movedFrom } of follow({ class: before, count: 0 }, uses)) {
          expect(count).toBeGreaterThanOrEqual(0);
          expect(count).toBeLessThanOrEqual(settings.beta);
          expect(movedFrom).toBe(list === before ? undefined : before);
          if (movedFrom !== undefined) expect(count).toBe(0);
          before = list;
        }
      }),
    );
  });
});

describe("two thresholds and a cool-down (preset default)", () => {
  const two = presetSettings("default", { alpha: 0.7, alphaDown: 0.4, beta: 3 });

  it("counts between the thresholds towards neither list", () => {
    const between = using(0.55);
    expect(classify({ class: "service", count: 2 }, AUTO, between, two)).toMatchObject({ count: 1 });
    expect(classify({ class: "scientific", count: 2 }, AUTO, between, two)).toMatchObject({ count: 1 });
    expect(classify({ class: "scientific", count: 2 }, AUTO, using(0.39), two)).toMatchObject({ count: 3 });
    expect(classify({ class: "scientific", count: 2 }, AUTO, using(0.4), two)).toMatchObject({ count: 1 });
  });

  it("holds a guest that cools down, with its count at beta", () => {
    const ready = { class: "service", count: 3 } as const;
    expect(classify(ready, AUTO, using(1), two, true)).toEqual({
      class: "service",
      count: 3,
      crossed: true,
      held: true,
    });
    expect(classify(ready, AUTO, using(1), two, false)).toMatchObject({ class: "scientific", count: 0 });
  });

  it("lets every guest out of LIST_sc at once, also one that cools down", () => {
    const ready = { class: "scientific", count: 3 } as const;
    expect(classify(ready, AUTO, using(0), two, true)).toMatchObject({ class: "service", count: 0 });
  });

  it("lets a declaration move a guest that cools down", () => {
    const declared = { class: "service" } as const;
    expect(classify({ class: "scientific", count: 0 }, declared, using(1), two, true)).toMatchObject({
      class: "service",
      movedFrom: "scientific",
    });
  });
});

describe("a declaration", () => {
  it("beats inference, and is not counted", () => {
    const declared = { class: "service", source: "metadata" } as const;
    expect(classify({ class: "scientific", count: 2 }, declared, using(1), settings)).toEqual({
      class: "service",
      count: 0,
      crossed: false,
      movedFrom: "scientific",
    });
    expect(classify({ class: "service", count: 0 }, declared, using(1), settings)).toEqual({
      class: "service",
      count: 0,
      crossed: false,
    });
  });

  it("says where a guest begins", () => {
    expect(firstClass({ class: "scientific" })).toBe("scientific");
    expect(firstClass({ class: "service" })).toBe("service");
    expect(firstClass(AUTO)).toBe("service");
  });
});
