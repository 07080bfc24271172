import { describe, expect, it } from "@jest/globals";
import { SwitchSplit } from "./switch-split.ts";
import type { VcpuCounters } from "./vcpu-counters.ts";

/** vCPUs that note who was read; each read takes a tenth of a millisecond of a clock that only reads move. */
function vcpus(count: number, behaviour: (at: number) => boolean = () => true) {
  const clock = { now: 0 };
  const reads: number[] = [];
  const list = Array.from({ length: count }, (_, at) => ({
    readSwitchSplit: (): boolean => {
      if (!behaviour(at)) return false;
      clock.now += 0.1;
      reads.push(at);
      return true;
    },
  })) as unknown as VcpuCounters[];
  return { list, reads, nowMs: () => clock.now };
}

const never = (error: unknown): void => {
  throw error;
};

describe("SwitchSplit", () => {
  it("stops when its time is over and goes on from there at the next scrape, until all had their turn", () => {
    const { list, reads, nowMs } = vcpus(100);
    const split = new SwitchSplit();
    const results = [1, 2, 3, 4].map(() => split.read(list, { msMax: 3, nowMs, failed: never }));
    expect(results.map(({ read, postponed }) => [read, postponed])).toEqual(Array(4).fill([32, 68]));
    expect(new Set(reads.slice(0, 100)).size).toBe(100);
  });

  it("passes over those that did not switch, at no cost of time", () => {
    const { list, reads, nowMs } = vcpus(100, (at) => at % 10 === 0);
    expect(new SwitchSplit().read(list, { msMax: 3, nowMs, failed: never })).toEqual({
      read: 10,
      postponed: 0,
    });
    expect(reads).toHaveLength(10);
  });

  it("reports a failure and reads the others; a thread that is gone is no failure", () => {
    const gone = Object.assign(new Error("gone"), { code: "ESRCH" });
    const broken = new Error("broken");
    const { list, reads, nowMs } = vcpus(4, (at) => {
      if (at === 0) throw gone;
      if (at === 2) throw broken;
      return true;
    });
    const failures: unknown[] = [];
    new SwitchSplit().read(list, { msMax: 3, nowMs, failed: (error) => failures.push(error) });
    expect([reads, failures]).toEqual([[1, 3], [broken]]);
  });
});
