/** The order of arms: complete, shuffled, and the same for the same seed. */
import { expect, test } from "@jest/globals";
import { Seeded } from "../../support/seeded.ts";
import { ARM_NAMES, type BenchOptions, planOf, shuffled } from "./plan.ts";

const options: BenchOptions = {
  size: "over",
  rounds: 5,
  seed: 1,
  kernels: ["EP", "CG", "MG"],
  problem: "S",
  seconds: 1,
  checkPeriodMs: 1000,
  beta: 2,
};

test("each round has every arm once, with every kernel; rounds follow each other", () => {
  const plan = planOf(options, new Seeded(1));
  expect(plan.map(({ round }) => round)).toEqual(
    [0, 1, 2, 3, 4].flatMap((round) => ARM_NAMES.map(() => round)),
  );
  for (let round = 0; round < 5; round++) {
    const own = plan.filter((step) => step.round === round);
    expect(own.map(({ arm }) => arm).toSorted()).toEqual([...ARM_NAMES].toSorted());
    for (const { kernels } of own) expect([...kernels].toSorted()).toEqual(["CG", "EP", "MG"]);
    expect(new Set(own.map(({ loadSeed }) => loadSeed)).size).toBe(1);
  }
});

test("the arm that limits services runs only where they want more than their SLA", () => {
  const armsIn = (size: BenchOptions["size"]): string[] =>
    planOf({ ...options, size, rounds: 1 }, new Seeded(1)).map(({ arm }) => arm);
  expect(armsIn("over")).toContain("limited");
  expect(armsIn("usual").toSorted()).toEqual(ARM_NAMES.filter((arm) => arm !== "limited").toSorted());
});

test("the seed decides the order, and nothing else does", () => {
  const orderOf = (seed: number): string[] => planOf(options, new Seeded(seed)).map(({ arm }) => arm);
  expect(orderOf(1)).toEqual(orderOf(1));
  expect(orderOf(1)).not.toEqual(orderOf(2));
  const rounds = [0, 1, 2, 3, 4].map((round) =>
    orderOf(1)
      .slice(round * ARM_NAMES.length, (round + 1) * ARM_NAMES.length)
      .join(),
  );
  expect(new Set(rounds).size).toBeGreaterThan(1);
});

test("a shuffle keeps what there is, and every order can come", () => {
  const random = new Seeded(7);
  const seen = new Set(Array.from({ length: 200 }, () => shuffled(["a", "b", "c"], random).join("")));
  expect([...seen].toSorted()).toEqual(["abc", "acb", "bac", "bca", "cab", "cba"]);
});
