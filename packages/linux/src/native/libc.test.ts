import { spawn } from "node:child_process";
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, afterEach, describe, expect, it } from "@jest/globals";
import { SyscallError, bootTimeUs, getAffinity, processCpuNs, setAffinity, tryLock } from "./libc.ts";

const NO_PROCESS = 4_194_304 + 1; // above the largest pid_max

describe("processCpuNs", () => {
  it("is the CPU time of a process: it grows with the work done, and not with time", async () => {
    const child = spawn("sleep", ["60"]);
    try {
      const own = (processCpuNs(process.pid) ?? 0) / 1e6;
      const { user, system } = process.cpuUsage();
      expect(Math.abs(own - (user + system) / 1000)).toBeLessThan(100);
      await new Promise((resolve) => setTimeout(resolve, 300));
      const asleep = processCpuNs(child.pid ?? 0);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(asleep).toBeGreaterThan(0);
      expect(processCpuNs(child.pid ?? 0)).toBe(asleep);
    } finally {
      child.kill();
    }
  });

  it("is undefined for a process that there is not", () => {
    expect(processCpuNs(NO_PROCESS)).toBeUndefined();
  });
});

describe("bootTimeUs", () => {
  it("is the kernel's own uptime, to the hundredth of a second that /proc/uptime has", () => {
    const before = bootTimeUs();
    const uptimeUs = Number(readFileSync("/proc/uptime", "utf8").split(" ")[0]) * 1e6;
    const after = bootTimeUs();
    expect(uptimeUs).toBeGreaterThanOrEqual(before - 10_000);
    expect(uptimeUs).toBeLessThanOrEqual(after);
    expect(Number.isSafeInteger(before)).toBe(true);
  });
});

describe("affinity", () => {
  const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"]);
  const tid = child.pid ?? 0;
  const all = getAffinity(process.pid);
  afterEach(() => setAffinity(tid, all));
  afterAll(() => void child.kill("SIGKILL"));

  it("reads what the kernel shows, and sets it", () => {
    const last = all.at(-1) ?? 0;
    setAffinity(tid, [last]);
    expect(getAffinity(tid)).toEqual([last]);
    expect(readFileSync(`/proc/${tid}/status`, "utf8")).toMatch(
      new RegExp(`^Cpus_allowed_list:\\t${last}$`, "m"),
    );
  });

  it("names call, thread and errno where it fails", () => {
    expect(() => getAffinity(NO_PROCESS)).toThrow(/sched_getaffinity\(4194305\): ESRCH/);
    expect(() => setAffinity(tid, [8191])).toThrow(/sched_setaffinity\(\d+, 8191\): EINVAL/);
    try {
      setAffinity(NO_PROCESS, [0]);
      throw new Error("did not throw");
    } catch (error) {
      expect(error).toBeInstanceOf(SyscallError);
      expect((error as SyscallError).code).toBe("ESRCH");
    }
    expect(getAffinity(tid)).toEqual(all);
  });
});

describe("tryLock", () => {
  it("keeps others out until the file is closed", () => {
    const dir = mkdtempSync(path.join(tmpdir(), "kvmgov-lock-"));
    const file = path.join(dir, "lock");
    const [first, second] = [openSync(file, "w"), openSync(file, "w")];
    expect(tryLock(first)).toBe(true);
    expect(tryLock(second)).toBe(false);
    closeSync(first);
    expect(tryLock(second)).toBe(true);
    closeSync(second);
    rmSync(dir, { recursive: true });
  });
});
