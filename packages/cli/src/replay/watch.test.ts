import { describe, expect, it } from "@jest/globals";
import { Detection } from "./detection.ts";
import { LEVEL_MS, Levels, LoadChanges } from "./load.ts";
import { HOUR_MS, Steadiness } from "./steadiness.ts";

const MIN = 60_000;

describe("levels", () => {
  it("are means over five minutes of the clock, weighted by time", () => {
    const levels = new Levels();
    // 1 s of 1, then 299 s of 0 in one piece.
    expect(levels.add(1000, 1000, 1)).toBeUndefined();
    expect(levels.add(LEVEL_MS, 299_000, 0)).toBeUndefined();
    expect(levels.add(LEVEL_MS + 1000, 1000, 0.5)).toEqual({ fromMs: 0, mean: 1 / 300 });
    expect(levels.end()).toEqual({ fromMs: LEVEL_MS, mean: 0.5 });
    expect(levels.end()).toBeUndefined();
  });
});

describe("changes of load", () => {
  const changes = (means: readonly number[]): boolean[] => {
    const load = new LoadChanges();
    return means.map((mean) => load.add({ fromMs: 0, mean }));
  };

  it("are 0.3 or more away from where the load was at its last change, 0 before it came", () => {
    expect(changes([0.29, 0.3, 0.5, 0.59, 0.61, 0.4, 0.3])).toEqual([
      false,
      true,
      false,
      false,
      true,
      false,
      true,
    ]);
  });

  it("are seen where the load creeps", () => {
    expect(changes([0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7]).filter(Boolean)).toHaveLength(2);
  });
});

describe("steadiness", () => {
  /** Moves and changes of load in minutes; a level ends every five. */
  function watch(moves: readonly number[], changes: readonly number[]): Steadiness {
    const steadiness = new Steadiness();
    const left = [...moves];
    for (let fromMs = 0; fromMs <= 4 * HOUR_MS; fromMs += LEVEL_MS) {
      while (left[0] !== undefined && left[0] * MIN <= fromMs + LEVEL_MS)
        steadiness.moved((left.shift() ?? 0) * MIN);
      steadiness.level(fromMs, changes.includes(fromMs / MIN));
    }
    steadiness.end();
    return steadiness;
  }

  it("allows one move an hour whatever the load does", () => {
    expect(watch([10, 70, 130], [])).toMatchObject({ moves: 3, flaps: 0, unexcused: 0 });
  });

  it("does not excuse a second move within the hour that no load explains", () => {
    expect(watch([10, 69], [])).toMatchObject({ moves: 2, flaps: 1, unexcused: 1 });
    expect(watch([10, 69], [5])).toMatchObject({ flaps: 1, unexcused: 1 });
  });

  it("excuses as many moves an hour as the load changed", () => {
    expect(watch([10, 40], [5, 35])).toMatchObject({ flaps: 1, unexcused: 0, loadChanges: 2 });
    expect(watch([10, 40, 50], [5, 35])).toMatchObject({ flaps: 2, unexcused: 1 });
  });

  it("counts a change that the level of the move itself shows", () => {
    // The move at 42 min is in the level from 40 to 45 min, which is known at 45 min.
    expect(watch([10, 42], [5, 40])).toMatchObject({ unexcused: 0 });
    expect(watch([10, 42], [5, 45])).toMatchObject({ unexcused: 1 });
  });

  it("judges moves of the last level, too", () => {
    const steadiness = new Steadiness();
    for (const minute of [1, 2, 3]) steadiness.moved(minute * MIN);
    expect(steadiness.unexcused).toBe(0);
    steadiness.end();
    expect(steadiness.unexcused).toBe(2);
  });
});

describe("detection", () => {
  /** Levels of five minutes each; moves as [minute, list]. */
  function watch(
    means: readonly number[],
    moves: readonly (readonly [number, "service" | "scientific"])[],
    start: "service" | "scientific" = "service",
  ): { delays: number[]; missed: number[] } {
    const detection = new Detection();
    detection.starts(start);
    const left = [...moves];
    for (const [i, mean] of means.entries()) {
      const fromMs = i * LEVEL_MS;
      for (; left[0] !== undefined && left[0][0] * MIN <= fromMs + LEVEL_MS; left.shift())
        detection.is(left[0][1], left[0][0] * MIN);
      detection.level({ fromMs, mean });
    }
    detection.end();
    const { delaysMs, missedMs } = detection;
    return { delays: delaysMs.map((ms) => ms / MIN), missed: missedMs.map((ms) => ms / MIN) };
  }
  const busy = [1, 1, 1, 1, 1, 1];

  it("is the time from the beginning of a spell to the right list", () => {
    expect(watch([0.1, ...busy], [[6, "scientific"]])).toEqual({ delays: [1], missed: [] });
    expect(watch([0.1, ...busy], [[25, "scientific"]])).toEqual({ delays: [20], missed: [] });
  });

  it("has nothing to find where the guest was there already", () => {
    expect(watch(busy, [], "scientific")).toEqual({ delays: [], missed: [] });
    expect(watch([0.5, ...busy], [[4, "scientific"]])).toEqual({ delays: [], missed: [] });
  });

  it("tells a spell that was over before it was found", () => {
    expect(watch([...busy, 0.5], [[33, "scientific"]])).toEqual({ delays: [], missed: [30] });
  });

  it("leaves out what lasts less than half an hour", () => {
    expect(watch([...busy.slice(1), 0.5], [])).toEqual({ delays: [], missed: [] });
  });

  it("works both ways, and takes what lies between for neither", () => {
    const quiet = [0.1, 0.2, 0, 0.29, 0.1, 0.1];
    expect(
      watch(
        [...busy, ...quiet],
        [
          [2, "scientific"],
          [40, "service"],
        ],
      ),
    ).toEqual({ delays: [2, 10], missed: [] });
    expect(watch([0.5, 0.3, 0.69, 0.5, 0.5, 0.5, 0.5], [])).toEqual({ delays: [], missed: [] });
  });

  it("is not fooled by a hole in the samples", () => {
    const detection = new Detection();
    for (const at of [0, 1, 2, 30, 31, 32]) detection.level({ fromMs: at * LEVEL_MS, mean: 1 });
    detection.end();
    expect(detection.missedMs).toEqual([]);
  });
});
