import { describe, expect, it } from "@jest/globals";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { GUARD_SILENCE_MS_MAX, hasGuard, removeGuardMark, writeGuardMark } from "./guard-mark.ts";
import { HandsOffError, handsOffFile, putHandsOff, readHandsOff, releaseHandsOff } from "./hands-off.ts";
import { replaceFile } from "./replace-file.ts";
import { startTimeOf } from "./host-lock.ts";
import { JournalEntries } from "./entries.ts";
import { LiveProcesses } from "./live-processes.ts";
import type { BaselineRecord } from "./records.ts";

class Scratch implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "kvmgov-small-"));
  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

const web = { uuid: "u-1", name: "web" };
const db = { uuid: "u-2", name: "db" };

describe("what an operator wants left alone", () => {
  it("is one guest after the other, by name or UUID, or all", () => {
    using scratch = new Scratch();
    expect(readHandsOff(scratch.dir)).toBeUndefined();
    putHandsOff(scratch.dir, "web");
    putHandsOff(scratch.dir, "u-2");
    const some = readHandsOff(scratch.dir);
    expect([some?.covers(web), some?.covers(db), some?.covers({ uuid: "u-3", name: "x" })]).toEqual([
      true,
      true,
      false,
    ]);
    expect(releaseHandsOff(scratch.dir, "web")).toBe(true);
    expect(releaseHandsOff(scratch.dir, "web")).toBe(false);
    expect(readHandsOff(scratch.dir)?.covers(web)).toBe(false);
    putHandsOff(scratch.dir, undefined);
    expect(readHandsOff(scratch.dir)?.isAll).toBe(true);
    expect(() => releaseHandsOff(scratch.dir, "web")).toThrow(HandsOffError);
    expect(releaseHandsOff(scratch.dir, undefined)).toBe(true);
    expect(readHandsOff(scratch.dir)).toBeUndefined();
  });

  it("takes UUIDs in any case, names to the letter", () => {
    using scratch = new Scratch();
    writeFileSync(handsOffFile(scratch.dir), `{"guests":["U-1","Web"]}`);
    const some = readHandsOff(scratch.dir);
    expect([some?.covers({ uuid: "u-1", name: "x" }), some?.covers({ uuid: "u-3", name: "web" })]).toEqual([
      true,
      false,
    ]);
  });

  it("is an error where the file cannot be understood", () => {
    using scratch = new Scratch();
    for (const text of ["{", `{"guests":7}`, `{"guests":"all","more":1}`]) {
      writeFileSync(handsOffFile(scratch.dir), text);
      expect(() => readHandsOff(scratch.dir)).toThrow(HandsOffError);
    }
  });
});

describe("a file that is replaced again and again", () => {
  it("is whole at any time, and its directory is made where it is missing, also later", () => {
    using scratch = new Scratch();
    const dir = join(scratch.dir, "run/kvm-governor");
    const file = join(dir, "alive");
    for (const text of ["1\n", "2\n"]) {
      replaceFile(dir, file, text);
      expect(readFileSync(file, "utf8")).toBe(text);
      expect(readdirSync(dir)).toEqual(["alive"]);
    }
    rmSync(dir, { recursive: true });
    replaceFile(dir, file, "3\n");
    expect([readFileSync(file, "utf8"), statSync(dir).mode & 0o777]).toEqual(["3\n", 0o755]);
    rmSync(file);
    mkdirSync(file);
    expect(() => replaceFile(dir, file, "4\n")).toThrow(/EISDIR/);
  });
});

describe("the mark of who stands guard", () => {
  it("counts for a few seconds of this boot", () => {
    using scratch = new Scratch();
    expect(hasGuard(scratch.dir, 1)).toBe(false);
    writeGuardMark(scratch.dir, 5_000_000);
    const last = 5_000_000 + GUARD_SILENCE_MS_MAX * 1000;
    expect([hasGuard(scratch.dir, 5_000_000), hasGuard(scratch.dir, last)]).toEqual([true, true]);
    expect([hasGuard(scratch.dir, last + 1), hasGuard(scratch.dir, 4_999_999)]).toEqual([false, false]);
    removeGuardMark(scratch.dir);
    expect(hasGuard(scratch.dir, 5_000_000)).toBe(false);
  });
});

describe("whether processes live", () => {
  it("is known at one read each, and start times tell one from a later one with its number", async () => {
    const processes = new LiveProcesses("/proc");
    const child = spawn("sleep", ["60"]);
    const pid = child.pid ?? 0;
    const startTime = startTimeOf("/proc", pid) ?? 0;
    expect(processes.runs({ pid, startTime: startTime + 1 })).toBe(false);
    expect(processes.openCount).toBe(0);
    expect([processes.runs({ pid, startTime }), processes.runs({ pid, startTime })]).toEqual([true, true]);
    expect(processes.runs({ pid, startTime: startTime + 1 })).toBe(false);
    expect(processes.openCount).toBe(1);
    child.kill("SIGKILL");
    await once(child, "exit");
    expect(processes.runs({ pid, startTime })).toBe(false);
    expect(processes.openCount).toBe(0);
    expect(processes.runs({ pid: process.pid, startTime: startTimeOf("/proc", process.pid) ?? 0 })).toBe(
      true,
    );
    processes.keepOnly(new Set());
    expect(processes.openCount).toBe(0);
  });
});

describe("first values that libvirt was told to change", () => {
  const record = (type: BaselineRecord["type"], raw: string, cpus: string): BaselineRecord => ({
    type,
    version: 1,
    bootId: "b",
    guest: { ...web, pid: 1, startTime: 1 },
    mountPoints: [],
    files: [{ key: "/g/f", version: 1, inode: 1, target: "guest", setting: "weight", raw }],
    threads: [{ tid: 5, startTime: 1, target: "vcpu 0", cpus }],
  });

  it("take the place of those before, which later finds do not", () => {
    const records = [
      record("baseline", "1\n", "0"),
      record("rebased", "2\n", "1"),
      record("baseline", "3\n", "2"),
    ];
    const [entry] = new JournalEntries(records).all();
    expect(entry?.files.get("/g/f")?.raw).toBe("2\n");
    expect(entry?.threads.get(5)?.cpus).toBe("1");
  });
});
