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
const SECOND = 1e9;

interface Reading {
  /** S, R: at this reading; voluntary switches so far. */
  state?: string;
  voluntary?: number;
  ran?: number;
  booked?: number;
  isCrowded?: boolean;
}

beforeEach(() => {
  procRoot = mkdtempSync(path.join(tmpdir(), "kvmgov-wait-"));
  mkdirSync(path.join(procRoot, "7/task/8"), { recursive: true });
});
afterEach(() => rmSync(procRoot, { recursive: true }));

function setStatus(state: string, voluntary: number): void {
  const switches = `voluntary_ctxt_switches:\t${voluntary}\nnonvoluntary_ctxt_switches:\t5\n`;
  writeFileSync(
    path.join(procRoot, "7/task/8/status"),
    `Name:\tCPU 0/KVM\nState:\t${state} (x)\n${switches}`,
  );
}

/** Readings one after the other, a second apart, amounts in seconds; gives what was waited in each, in seconds. */
function waits(readings: readonly Reading[]): number[] {
  const wait = new UnbookedWait(7, 8, contextOf(procRoot));
  const told = readings.map(({ state = "R", voluntary = 3, ran = 0, booked = 0, isCrowded = true }, i) => {
    setStatus(state, voluntary);
    wait.mark();
    wait.update(ran * SECOND, booked * SECOND, i * SECOND, isCrowded);
    return Math.round((booked + wait.correctionNs / SECOND) * 1000) / 1000;
  });
  wait.close();
  return told;
}

describe("UnbookedWait", () => {
  it("takes a thread that was runnable at both ends and never slept for one that waited when it did not run", () => {
    expect(waits([{}, {}, {}, { ran: 0.2, booked: 0.1 }])).toEqual([0, 0, 1, 0.8]);
  });

  it("takes a sleeping one for idle", () => {
    expect(waits([{ state: "S" }, { state: "S" }, { state: "S" }])).toEqual([0, 0, 0]);
  });

  it("claims nothing for one that slept in between, or at one end", () => {
    expect(waits([{}, {}, { voluntary: 4 }])).toEqual([0, 0, 0]);
    expect(waits([{}, { state: "S" }, {}])).toEqual([0, 0, 0]);
    expect(waits([{}, { booked: 0.3, ran: 0.1 }, { booked: 0.3, ran: 0.1, voluntary: 9 }])).toEqual([
      0, 0.3, 0.3,
    ]);
  });

  it("does not tell a wait twice when the kernel books it at last", () => {
    // Waited two seconds unseen; then 2.4 s are booked at once, of which 1.6 were told.
    const told = waits([{}, {}, {}, { ran: 0.4, booked: 2.4 }, { ran: 0.5, booked: 0.5 }]);
    expect(told).toEqual([0, 0, 1, 0.6, 0.5]);
    expect(waits([{}, {}, {}, { ran: 0.1, booked: 1.5, voluntary: 9 }])[3]).toBe(0.5);
  });

  it("does not look where nobody waited", () => {
    const quiet = { isCrowded: false };
    expect(waits([quiet, quiet, quiet])).toEqual([0, 0, 0]);
    rmSync(path.join(procRoot, "7"), { recursive: true });
    const wait = new UnbookedWait(7, 8, contextOf(procRoot));
    wait.update(0, 0, 0, false);
    wait.update(0, 0, SECOND, false);
    expect(() => wait.update(0, 0, 2 * SECOND, true)).toThrow(/ENOENT/);
    wait.close();
  });

  it("names a status file without what it needs", () => {
    writeFileSync(path.join(procRoot, "7/task/8/status"), "Name:\tx\nState:\tR\n");
    const wait = new UnbookedWait(7, 8, contextOf(procRoot));
    wait.update(0, 0, 0, true);
    expect(() => wait.update(0, 0, SECOND, true)).toThrow(/7\/task\/8\/status: no state, or no lines/);
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
