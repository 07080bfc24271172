import { expect, it } from "@jest/globals";
import { Seeded } from "../support/seeded.ts";
import { KINDS } from "./faults.ts";
import { endless, kindsFor, once } from "./schedule.ts";
import type { Step } from "./schedule.ts";

function take(count: number, seed: number): Step[] {
  const steps: Step[] = [];
  for (const step of endless(kindsFor(true), new Seeded(seed))) {
    if (steps.push(step) === count) break;
  }
  return steps;
}

it("is the same for a seed, and another for another", () => {
  expect(take(50, 7)).toEqual(take(50, 7));
  expect(take(50, 7)).not.toEqual(take(50, 8));
});

it("strikes each kind in each round, and two at once only of different layers", () => {
  const kinds = kindsFor(true);
  const round = take(kinds.length, 3);
  expect(new Set(round.map(({ faults }) => faults[0]?.kind))).toEqual(new Set(kinds));
  expect(round).toHaveLength(kinds.length);
  const doubles = take(200, 3).filter(({ faults }) => faults.length === 2);
  expect(doubles.length).toBeGreaterThan(20);
  for (const { faults } of doubles) expect(new Set(faults.map(({ kind }) => KINDS[kind].layer)).size).toBe(2);
});

it("cuts nothing where there are no namespaces", () => {
  const kinds = kindsFor(false);
  expect(kinds.filter((kind) => kind.startsWith("cut"))).toEqual([]);
  const struck = once(kinds, new Seeded(1)).map(({ faults }) => faults[0]?.kind);
  expect(new Set(struck)).toEqual(new Set(kinds));
  expect(struck).toHaveLength(kinds.length);
});
