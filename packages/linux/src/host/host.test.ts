import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { availableParallelism, tmpdir, uptime } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { coresUsed, parseCpuTimes } from "./cpu-times.ts";
import { readBootId, readKernelRelease, readUptimeUs } from "./facts.ts";
import { parseCpuPressure } from "./pressure.ts";
import { HostReader } from "./reader.ts";
import { ProcParseError } from "../proc/stat.ts";

const STAT = `cpu  54 0 3 9 0 0 0 0 0 0
cpu0 10 1 2 300 4 5 6 7 8 9
cpu8 20 0 0 100 0 0 0 0 20 0
intr 285145 0 cpu9 1 2 3 4
`;

describe("parseCpuTimes", () => {
  it("reads each CPU, guests' time counted once", () => {
    expect(parseCpuTimes(STAT)).toEqual([
      { cpu: 0, busy: 24, idle: 304, steal: 7 },
      { cpu: 8, busy: 20, idle: 100, steal: 0 },
    ]);
  });

  it.each(["", "cpu  1 2 3 4\n", "cpu0 1 2\n", "cpu0 a b c d\n"])("refuses %j", (text) => {
    expect(() => parseCpuTimes(text)).toThrow(ProcParseError);
  });
});

describe("coresUsed", () => {
  const at = (cpu: number, busy: number, idle: number, steal = 0) => ({ cpu, busy, idle, steal });

  it("adds up the parts of each CPU", () => {
    const used = coresUsed([at(0, 0, 0), at(1, 0, 0)], [at(0, 25, 75), at(1, 50, 25, 25)], [0, 1]);
    expect(used).toEqual({ busy: 0.75, idle: 1, steal: 0.25 });
  });

  it("leaves out CPUs that are not asked for, or came and went; takes what did not tick as idle", () => {
    const used = coresUsed(
      [at(0, 0, 0), at(1, 0, 0), at(3, 5, 5)],
      [at(0, 9, 1), at(2, 9, 1), at(3, 5, 5)],
      [0, 2, 3],
    );
    expect(used).toEqual({ busy: 0.9, idle: 1.1, steal: 0 });
  });

  it("never goes below 0 and always adds up, whatever goes back", () => {
    const times = fc.record({ busy: fc.nat(1000), idle: fc.nat(1000), steal: fc.nat(1000) });
    fc.assert(
      fc.property(times, times, (before, after) => {
        const used = coresUsed([{ cpu: 0, ...before }], [{ cpu: 0, ...after }], [0]);
        expect(Math.min(used.busy, used.idle, used.steal)).toBeGreaterThanOrEqual(0);
        expect(used.busy + used.idle + used.steal).toBeCloseTo(1, 9);
      }),
    );
  });
});

describe("parseCpuPressure", () => {
  it("reads both lines, or the only one of older kernels", () => {
    const some = "some avg10=0.53 avg60=0.37 avg300=0.52 total=7099917\n";
    expect(parseCpuPressure(`${some}full avg10=0.00 avg60=0.00 avg300=0.00 total=12\n`)).toEqual({
      someUs: 7099917,
      fullUs: 12,
    });
    expect(parseCpuPressure(some)).toEqual({ someUs: 7099917 });
    expect(() => parseCpuPressure("full avg10=0 total=1\n")).toThrow(ProcParseError);
  });
});

describe("HostReader", () => {
  let root = "";
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), "kvmgov-proc-"));
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it("reads this machine again and again", () => {
    using host = new HostReader();
    const before = host.cpuTimes();
    const until = performance.now() + 60;
    while (performance.now() < until);
    const after = host.cpuTimes();
    expect(after.length).toBeGreaterThanOrEqual(availableParallelism());
    expect(sum(after)).toBeGreaterThan(sum(before));
    if (host.noPressure === undefined) expect(host.pressure()?.someUs).toBeGreaterThanOrEqual(0);
  });

  it("reads files larger than its buffer whole", () => {
    const lines = Array.from({ length: 500 }, (_, cpu) => `cpu${cpu} 1 2 3 4 5 6 7 8 9 0\n`).join("");
    writeFileSync(join(root, "stat"), lines);
    using host = new HostReader(root);
    expect(host.cpuTimes()).toHaveLength(500);
    expect(host.cpuTimes()).toHaveLength(500);
  });

  it("says that there is no pressure on a kernel without it", () => {
    writeFileSync(join(root, "stat"), STAT);
    using host = new HostReader(root);
    expect(host.pressure()).toBeUndefined();
    expect(host.noPressure).toBe("ENOENT");
  });
});

describe("host facts", () => {
  it("reads this machine's", () => {
    expect(readBootId()).toMatch(/^[0-9a-f-]{36}$/);
    expect(readKernelRelease()).toMatch(/^\d+\./);
    expect(Math.abs(readUptimeUs() / 1e6 - uptime())).toBeLessThan(1);
  });

  it("refuses a boot id that is none, by file", () => {
    const root = mkdtempSync(join(tmpdir(), "kvmgov-boot-"));
    mkdirSync(join(root, "sys/kernel/random"), { recursive: true });
    writeFileSync(join(root, "sys/kernel/random/boot_id"), "<script>\n");
    expect(() => readBootId(root)).toThrow(/boot_id: must be a boot id/);
    rmSync(root, { recursive: true });
  });
});

function sum(times: readonly { busy: number; idle: number }[]): number {
  return times.reduce((total, each) => total + each.busy + each.idle, 0);
}
