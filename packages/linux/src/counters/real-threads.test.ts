import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { afterEach, describe, expect, it, jest } from "@jest/globals";
import type { Sample } from "@kvm-governor/policy";
import { HostReader } from "../host/reader.ts";
import { bootTimeUs } from "../native/libc.ts";
import { PerfGroup, perfProblem } from "../native/perf.ts";
import { TopologyReader } from "../topology/topology.ts";
import type { Guest } from "../guests/guest.ts";
import type { CounterContext } from "./context.ts";
import { GuestSampler } from "./guest-sampler.ts";
import { HostCounters } from "./host-counters.ts";
import { openCounterContext } from "./perf-source.ts";
import { Sampler } from "./sampler.ts";
import { Sources } from "./sources.ts";
import { ThreadSet } from "./thread-set.ts";
import { fakeGuest } from "./testing/fake-host.ts";

const SPIN = "for (;;);";
const IDLE = "setInterval(() => undefined, 1_000_000);";
/** Sleeps and wakes, about a hundred times a second. */
const BLINK = "const cell = new Int32Array(new SharedArrayBuffer(4)); for (;;) Atomics.wait(cell, 0, 0, 10);";

const children: ChildProcess[] = [];

/** A process whose main thread does one thing; it stands in for a vCPU. */
async function startThread(code: string): Promise<number> {
  const child = spawn(process.execPath, ["-e", `process.stdout.write("up"); ${code}`], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  children.push(child);
  if (child.stdout !== null) await once(child.stdout, "data");
  return child.pid ?? 0;
}

async function end(pid: number): Promise<void> {
  const child = children.find((each) => each.pid === pid);
  if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

const guestOf = (pid: number): Guest => fakeGuest({ pid, vcpus: [{ index: 0, tid: pid }], emulatorTids: [] });
const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));
const auto = () => ({ class: "auto" as const });

function realSampler(context: CounterContext): { sampler: Sampler; guests: GuestSampler } {
  const nowMs = (): number => performance.now();
  const sources = new Sources(nowMs);
  const guests = new GuestSampler({ context, locate: () => undefined, sources, nowMs });
  const hostCounters = new HostCounters(new HostReader(), new TopologyReader(), sources);
  const clocks = { bootTimeUs, wallTimeMs: Date.now };
  return {
    sampler: new Sampler({ host: "h", bootId: "00000000-0000", guests, hostCounters, clocks }),
    guests,
  };
}

async function sampleOver(ms: number, sampler: Sampler, guests: readonly Guest[]): Promise<Sample> {
  sampler.tick({ guests, unreadable: [] }, auto);
  await sleep(ms);
  const { sample } = sampler.tick({ guests, unreadable: [] }, auto);
  if (sample === undefined) throw new Error("no sample");
  return sample;
}

function switchesOf(pid: number): number {
  const counts = readFileSync(`/proc/${pid}/status`, "latin1").matchAll(/ctxt_switches:\t(\d+)/g);
  return [...counts].reduce((sum, [, count]) => sum + Number(count), 0);
}

describe("sampling of real threads", () => {
  afterEach(async () => {
    for (const child of children) await end(child.pid ?? 0);
    children.length = 0;
  });

  it("tells a spinning thread from an idle one; what did not run waited", async () => {
    const guests = [guestOf(await startThread(SPIN)), guestOf(await startThread(IDLE))];
    const { sampler, guests: counters } = realSampler(openCounterContext({ procRoot: "/proc" }));
    await sampleOver(100, sampler, guests);
    const sample = await sampleOver(500, sampler, guests);
    const [spinning, idle] = sample.guests.map(({ vcpus }) => vcpus[0]);
    expect((spinning?.run ?? 0) + (spinning?.delay ?? 0)).toBeGreaterThan(0.7);
    expect((spinning?.run ?? 0) + (spinning?.delay ?? 0)).toBeLessThan(1.5);
    expect(idle?.run).toBeLessThan(0.1);
    counters.close();
  });

  it("spares the reads of threads that stand still beside a vCPU that runs", async () => {
    const pid = await startThread(BLINK);
    const context = openCounterContext({ procRoot: "/proc" });
    const { sampler, guests } = realSampler(context);
    const others = readdirSync(`/proc/${pid}/task`)
      .map(Number)
      .filter((tid) => tid !== pid);
    const guest = fakeGuest({ pid, vcpus: [{ index: 0, tid: pid }], emulatorTids: others });
    let reads = 0;
    const read = jest.spyOn(ThreadSet.prototype, "read").mockImplementation(() => void reads++);
    // 24 ticks. Node's helpers may run a little at first.
    for (let at = 0; at < 12; at++) await sampleOver(50, sampler, [guest]);
    read.mockRestore();
    expect(guests.last.readable[0]?.vcpus[0]?.runNs.value).toBeGreaterThan(0);
    expect(reads).toBeLessThan(12);
    guests.close();
  });

  it("drops a guest whose process is killed between two ticks, and closes what it kept open for it", async () => {
    const [gone, stays] = [guestOf(await startThread(IDLE)), guestOf(await startThread(IDLE))];
    const context = openCounterContext({ procRoot: "/proc" });
    const { sampler, guests: counters } = realSampler(context);
    await sampleOver(20, sampler, [gone, stays]);
    const open = context.budget.used;
    await end(gone.pid);
    const sample = await sampleOver(20, sampler, [gone, stays]);
    expect(sample.guests.map(({ pid }) => pid)).toEqual([stays.pid]);
    expect(sample.unreadable).toEqual([]);
    expect(context.budget.used).toBeLessThan(open);
    counters.close();
    expect(context.budget.used).toBe(0);
  });

  it.each([["status", false] as const, ...(perfProblem() === undefined ? [["perf", true] as const] : [])])(
    "counts by %s the switches that /proc counts",
    async (source, perf) => {
      const pid = await startThread(BLINK);
      const { sampler, guests } = realSampler(openCounterContext({ procRoot: "/proc", perf }));
      const sample = await sampleOver(300, sampler, [guestOf(pid)]);
      const [counters] = guests.last.readable;
      const [vcpu] = counters?.vcpus ?? [];
      expect(counters?.switchSource).toBe(source);
      // Between our read and this one it may have woken a few times.
      expect(Math.abs(switchesOf(pid) - (vcpu?.switches.value ?? 0))).toBeLessThan(5);
      expect(vcpu?.switches.value).toBeGreaterThan(20);
      expect(sample.guests[0]?.vcpus[0]?.switches).toBeGreaterThan(10);
      guests.readSwitchSplit(Infinity);
      const split = (vcpu?.voluntary.value ?? 0) + (vcpu?.involuntary.value ?? 0);
      expect(Math.abs(split - (vcpu?.switches.value ?? 0))).toBeLessThan(5);
      expect(vcpu?.voluntary.value).toBeGreaterThan(5);
      expect(vcpu?.hasMigrations).toBe(perf);
      guests.close();
    },
  );

  it("falls back from perf to status, and from kept files to opened ones, where descriptors run out", async () => {
    const pid = await startThread(BLINK);
    for (const openFilesMax of [0, 1]) {
      const context = openCounterContext({ procRoot: "/proc", openFilesMax });
      const { sampler, guests } = realSampler(context);
      const sample = await sampleOver(100, sampler, [guestOf(pid)]);
      expect(guests.last.readable[0]?.switchSource).toBe("status");
      expect(sample.guests[0]?.vcpus[0]?.switches).toBeGreaterThan(3);
      expect(context.budget.used).toBeLessThanOrEqual(openFilesMax);
      expect(context.budget.refused).toBeGreaterThan(0);
      guests.close();
    }
  });
});

describe("PerfGroup", () => {
  it("fails with the errno of a thread that is not there, or of a refusal", () => {
    const expected = perfProblem() === undefined ? { code: "ESRCH" } : { name: expect.any(String) };
    let error: unknown;
    try {
      new PerfGroup(2 ** 22 + 1).close();
    } catch (cause) {
      error = cause;
    }
    expect(error).toMatchObject(expected);
  });
});
