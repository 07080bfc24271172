import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { DescriptorBudget } from "./descriptors.ts";
import { Total } from "./total.ts";

describe("Total", () => {
  it("never goes back, whatever the kernel's counter does", () => {
    const step = fc.oneof(
      fc.integer({ min: 0, max: 1e12 }),
      fc.constant("restart" as const),
      fc.constant("mark" as const),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const total = new Total();
        for (const each of steps) {
          const before = total.value;
          if (each === "restart") total.restart();
          else if (each === "mark") total.mark();
          else total.feed(each);
          expect(total.value).toBeGreaterThanOrEqual(before);
          expect(total.since).toBeGreaterThanOrEqual(0);
        }
      }),
    );
  });

  it("adds up what several threads counted", () => {
    const total = new Total();
    expect(total.feed(100)).toBe(true);
    total.mark();
    total.restart();
    expect(total.feed(30)).toBe(true);
    expect([total.value, total.since]).toEqual([130, 30]);
  });

  it("says that a counter went back, and goes on from there", () => {
    const total = new Total();
    total.feed(100);
    expect(total.feed(40)).toBe(false);
    expect(total.feed(50)).toBe(true);
    expect(total.value).toBe(110);
  });
});

describe("DescriptorBudget", () => {
  it("keeps a reserve, refuses what does not fit, and takes back", () => {
    const budget = new DescriptorBudget(10, 4);
    expect([budget.take(5), budget.take(2), budget.take(1)]).toEqual([true, false, true]);
    expect([budget.used, budget.refused]).toEqual([6, 1]);
    budget.giveBack(5);
    expect(budget.take(2)).toBe(true);
  });

  it("has no room at all under a limit below the reserve", () => {
    expect(new DescriptorBudget(64).take(1)).toBe(false);
  });
});
