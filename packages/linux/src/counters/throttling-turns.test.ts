import { describe, expect, it } from "@jest/globals";
import { ThrottlingTurns } from "./throttling-turns.ts";

const MS = 1e6;

/** Ticks (from 0) at which the group was read. */
function readsIn(
  ticks: number,
  turns: ThrottlingTurns,
  { hasMoved = false, waitedNs = () => 0 }: { hasMoved?: boolean; waitedNs?: (tick: number) => number } = {},
): number[] {
  return Array.from({ length: ticks }, (_, tick) => tick).filter((tick) => {
    const isRead = turns.isDue(waitedNs(tick));
    if (isRead) turns.note(hasMoved);
    return isRead;
  });
}

describe("turns of reading throttling", () => {
  it("come less and less often without bandwidth periods, and every eight ticks then", () => {
    expect(readsIn(32, new ThrottlingTurns(0))).toEqual([0, 2, 6, 14, 22, 30]);
  });

  it("come at each tick while there are bandwidth periods", () => {
    const turns = new ThrottlingTurns(0);
    readsIn(20, turns);
    turns.note(true);
    expect(readsIn(5, turns, { hasMoved: true })).toEqual([0, 1, 2, 3, 4]);
  });

  it("come at once where the vCPU waited for long, not where it waited a little", () => {
    const turns = new ThrottlingTurns(0);
    readsIn(15, turns);
    const waitedNs = (tick: number): number => (tick === 2 ? 5 : tick === 4 ? 4.9 : 0) * MS;
    expect(readsIn(9, turns, { waitedNs })).toEqual([2]);
  });

  it("do not all fall on the same tick", () => {
    const groups = Array.from({ length: 80 }, (_, seed) => new ThrottlingTurns(seed));
    for (const turns of groups) readsIn(40, turns);
    const reads = groups.flatMap((turns) => readsIn(8, turns));
    const perTick = Array.from({ length: 8 }, (_, tick) => reads.filter((each) => each === tick).length);
    expect(perTick).toEqual(Array.from({ length: 8 }, () => 10));
  });
});
