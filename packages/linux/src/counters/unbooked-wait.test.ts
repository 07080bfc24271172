import { spawn } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import type { CounterContext } from "./context.ts";
import { SCRATCH_BYTES } from "./context.ts";
import { DescriptorBudget } from "./descriptors.ts";
import { UnbookedWait } from "./unbooked-wait.ts";
import { VcpuCounters } from "./vcpu-counters.ts";

let procRoot: string;
const contextOf = (root: string): CounterContext => ({
  procRoot: root,
  budget: new DescriptorBudget(1000),
  scratch: Buffer.alloc(SCRATCH_BYTES),
});
const setState = (state: string): void =>
  writeFileSync(path.join(procRoot, "7/task/8/stat"), `8 (CPU 0) R)/KVM) ${state} 1 2 3\n`);

beforeEach(() => {
  procRoot = mkdtempSync(path.join(tmpdir(), "kvmgov-wait-"));
  mkdirSync(path.join(procRoot, "7/task/8"), { recursive: true });
});
afterEach(() => rmSync(procRoot, { recursive: true }));

/** Readings one after the other, a second apart; gives the correction of each period. */
function corrections(
  readings: readonly { state?: string; stoodStill: boolean; bookedNs?: number }[],
): number[] {
  const wait = new UnbookedWait(7, 8, contextOf(procRoot));
  const told = readings.map(({ state, stoodStill, bookedNs = 0 }, i) => {
    if (state !== undefined) setState(state);
    wait.mark();
    wait.update(stoodStill, bookedNs, i * 1e9);
    return wait.correctionNs;
  });
  wait.close();
  return told;
}

describe("UnbookedWait", () => {
  it("takes a runnable thread that stood still for one that waited the whole period", () => {
    expect(
      corrections([
        { stoodStill: false },
        { state: "R", stoodStill: true },
        { state: "R", stoodStill: true },
      ]),
    ).toEqual([0, 1e9, 1e9]);
  });

  it("takes a sleeping one for idle, whatever its name holds", () => {
    expect(corrections([{ stoodStill: false }, { state: "S", stoodStill: true }])).toEqual([0, 0]);
  });

  it("does not tell a wait twice when the kernel books it at last", () => {
    const [, first, second, booked, after] = corrections([
      { stoodStill: false },
      { state: "R", stoodStill: true },
      { state: "R", stoodStill: true },
      { stoodStill: false, bookedNs: 2.5e9 },
      { stoodStill: false, bookedNs: 1e9 },
    ]);
    expect([first, second, booked, after]).toEqual([1e9, 1e9, -2e9, 0].map((ns) => ns + 0));
  });

  it("never takes back more than was booked", () => {
    expect(
      corrections([
        { stoodStill: false },
        { state: "R", stoodStill: true },
        { stoodStill: false, bookedNs: 0.3e9 },
      ])[2],
    ).toBe(-0.3e9);
  });

  it("names a stat file without a state", () => {
    writeFileSync(path.join(procRoot, "7/task/8/stat"), "8 (broken");
    const wait = new UnbookedWait(7, 8, contextOf(procRoot));
    wait.update(false, 0, 0);
    expect(() => wait.update(true, 0, 1e9)).toThrow(/7\/task\/8\/stat: no state after the name/);
    wait.close();
  });
});

describe("a real thread that gets no CPU", () => {
  it("is seen to wait all the time, and a sleeping one not at all", async () => {
    const pin = (args: readonly string[]): ReturnType<typeof spawn> =>
      spawn("taskset", ["-c", "0", ...args], { stdio: "ignore" });
    const spin = ["sh", "-c", "while :; do :; done"];
    // Two at normal rank leave one in SCHED_IDLE without a CPU for most of the time.
    const starved = pin(["chrt", "--idle", "0", ...spin]);
    const others = [pin(spin), pin(spin)];
    const sleeper = spawn("sleep", ["60"], { stdio: "ignore" });
    try {
      await sleep(300);
      const counters = [starved, sleeper].map(({ pid = 0 }) => {
        const vcpu = new VcpuCounters(0, contextOf("/proc"));
        vcpu.follow(pid, pid);
        vcpu.readTimes(performance.now() * 1e6);
        vcpu.mark();
        return vcpu;
      });
      const wanted = [0, 0];
      const startedMs = performance.now();
      for (let tick = 0; tick < 12; tick++) {
        await sleep(150);
        for (const [i, vcpu] of counters.entries()) {
          vcpu.readTimes(performance.now() * 1e6);
          wanted[i] = (wanted[i] ?? 0) + vcpu.runNs.since + vcpu.waitedNs;
          vcpu.mark();
        }
      }
      const elapsedNs = (performance.now() - startedMs) * 1e6;
      expect((wanted[0] ?? 0) / elapsedNs).toBeGreaterThan(0.8);
      expect((wanted[1] ?? 0) / elapsedNs).toBeLessThan(0.05);
      for (const vcpu of counters) vcpu.close();
    } finally {
      for (const child of [starved, sleeper, ...others]) child.kill("SIGKILL");
    }
  });
});
