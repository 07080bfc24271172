import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { maxMinFair } from "./max-min.ts";
import type { Claim } from "./max-min.ts";

const claim = fc
  .tuple(fc.double({ min: 0, max: 4, noNaN: true }), fc.double({ min: 0, max: 4, noNaN: true }))
  .map(([a, b]): Claim => ({ floor: Math.min(a, b), ceiling: Math.max(a, b) }));
const claims = fc.array(claim, { maxLength: 12 });
const capacity = fc.double({ min: 0, max: 30, noNaN: true });

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);
const NEAR = 1e-9;

describe("maxMinFair", () => {
  it.each([
    ["nobody", 4, [], []],
    [
      "equal parts (paper, allocate_PR)",
      6,
      [
        [0, 8],
        [0, 8],
        [0, 8],
      ],
      [2, 2, 2],
    ],
    [
      "what one cannot use goes to the others",
      6,
      [
        [0, 1],
        [0, 8],
        [0, 8],
      ],
      [1, 2.5, 2.5],
    ],
    [
      "a floor above the level stays",
      6,
      [
        [4, 8],
        [0, 8],
        [0, 8],
      ],
      [4, 1, 1],
    ],
    [
      "floors above the capacity stay",
      2,
      [
        [2, 4],
        [1, 4],
      ],
      [2, 1],
    ],
    [
      "ceilings below the capacity stay",
      10,
      [
        [0, 2],
        [0, 1],
      ],
      [2, 1],
    ],
    [
      "nothing to divide",
      0,
      [
        [0, 2],
        [0.5, 1],
      ],
      [0, 0.5],
    ],
    [
      "a claim that can only have one amount",
      4,
      [
        [1, 1],
        [0, 8],
      ],
      [1, 3],
    ],
  ])("%s", (_, amount, pairs, expected) => {
    const given = maxMinFair(
      amount,
      pairs.map(([floor = 0, ceiling = 0]) => ({ floor, ceiling })),
    );
    expect(given).toHaveLength(expected.length);
    given.forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 9));
  });

  it("gives the capacity, limited to what floors and ceilings allow", () => {
    fc.assert(
      fc.property(capacity, claims, (amount, all) => {
        const floors = sum(all.map(({ floor }) => floor));
        const ceilings = sum(all.map(({ ceiling }) => ceiling));
        const expected = Math.min(ceilings, Math.max(floors, amount));
        expect(Math.abs(sum(maxMinFair(amount, all)) - expected)).toBeLessThan(1e-7);
      }),
    );
  });

  it("keeps floors and ceilings", () => {
    fc.assert(
      fc.property(capacity, claims, (amount, all) => {
        for (const [i, value] of maxMinFair(amount, all).entries()) {
          expect(value).toBeGreaterThanOrEqual(all[i]?.floor ?? NaN);
          expect(value).toBeLessThanOrEqual((all[i]?.ceiling ?? NaN) + NEAR);
        }
      }),
    );
  });

  it("is max-min fair: who has more than another has it as a floor, or the other is at its ceiling", () => {
    fc.assert(
      fc.property(capacity, claims, (amount, all) => {
        const given = maxMinFair(amount, all);
        for (const [i, more] of given.entries()) {
          for (const [k, less] of given.entries()) {
            if (more <= less + NEAR) continue;
            const asFloor = more <= (all[i]?.floor ?? NaN) + NEAR;
            const full = less >= (all[k]?.ceiling ?? NaN) - NEAR;
            expect(asFloor || full).toBe(true);
          }
        }
      }),
    );
  });

  it("does not depend on the order of the claims", () => {
    fc.assert(
      fc.property(capacity, claims, fc.nat(), (amount, all, turn) => {
        const by = all.length === 0 ? 0 : turn % all.length;
        const turned = [...all.slice(by), ...all.slice(0, by)].reverse();
        const given = maxMinFair(amount, all);
        const expected = [...given.slice(by), ...given.slice(0, by)].reverse();
        maxMinFair(amount, turned).forEach((value, i) => expect(value).toBeCloseTo(expected[i] ?? NaN, 8));
      }),
    );
  });

  it("never takes from anybody when there is more to divide", () => {
    fc.assert(
      fc.property(capacity, capacity, claims, (a, b, all) => {
        const less = maxMinFair(Math.min(a, b), all);
        maxMinFair(Math.max(a, b), all).forEach((value, i) =>
          expect(value).toBeGreaterThanOrEqual((less[i] ?? NaN) - NEAR),
        );
      }),
    );
  });
});
