import { describe, expect, it } from "@jest/globals";
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { FailingFiles } from "../journal/testing/failing-files.ts";
import { auditFile } from "./files.ts";
import { AuditLog, type AuditEntry, type AuditOptions } from "./log.ts";
import { readAudit } from "./read.ts";
import type { AuditRecord } from "./records.ts";
import { witnessOf } from "./witness.ts";

const entry = (text: string, guest = "u-1"): AuditEntry => ({
  event: "write",
  guest,
  name: `name of ${guest}`,
  target: "vcpu 0",
  setting: "bandwidth",
  file: "/c/vcpu0/cpu.cfs_quota_us",
  old: "-1",
  new: text,
  generation: 7,
  reason: "busy",
});

class Scratch implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "kvmgov-audit-"));
  nowMs = Date.parse("2026-01-02T03:04:05Z");
  readonly files = new FailingFiles();
  readonly failures: string[] = [];
  recovered = 0;

  log(options: Partial<AuditOptions> = {}): AuditLog {
    return new AuditLog({
      stateDir: this.dir,
      nowMs: () => this.nowMs,
      files: this.files,
      onFailure: ({ message }) => this.failures.push(message),
      onRecovery: () => this.recovered++,
      ...options,
    });
  }

  read(filter = {}, pieceBytes?: number): { records: AuditRecord[]; torn: number } {
    const pieces = [...readAudit(this.dir, filter, pieceBytes)];
    return {
      records: pieces.flatMap(({ records }) => records),
      torn: pieces.reduce((sum, { torn }) => sum + torn, 0),
    };
  }

  get values(): string[] {
    return this.read().records.map((record) => record.new);
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

describe("the audit", () => {
  it("keeps one JSON line a write, with time and process", () => {
    using scratch = new Scratch();
    scratch.log().record(entry("5000"));
    const lines = readFileSync(auditFile(scratch.dir), "utf8").split("\n");
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      time: "2026-01-02T03:04:05.000Z",
      pid: process.pid,
      ...entry("5000"),
    });
  });

  it("goes on in the same file after a restart, and begins a line of its own after a torn one", () => {
    using scratch = new Scratch();
    scratch.log().record(entry("1"));
    appendFileSync(auditFile(scratch.dir), `{"time":"2026`);
    scratch.log().record(entry("2"));
    expect(scratch.values).toEqual(["1", "2"]);
    expect(scratch.read().torn).toBe(1);
  });

  it("tolerates an end that was cut at any byte", () => {
    using scratch = new Scratch();
    const log = scratch.log();
    log.record(entry("1"));
    log.record(entry("2"));
    log.release();
    const whole = readFileSync(auditFile(scratch.dir));
    const first = whole.indexOf(10) + 1;
    for (let length = 0; length <= whole.length; length++) {
      writeFileSync(auditFile(scratch.dir), whole.subarray(0, length));
      scratch.log().record(entry("3"));
      const before = length < first - 1 ? [] : length < whole.length - 1 ? ["1"] : ["1", "2"];
      expect(scratch.values).toEqual([...before, "3"]);
    }
  });

  it("is rotated by size, and keeps so many files", () => {
    using scratch = new Scratch();
    const log = scratch.log({ bytesMax: 1000, filesMax: 3 });
    for (let at = 0; at < 40; at++) log.record(entry(String(at)));
    expect(readdirSync(scratch.dir).toSorted()).toEqual(["audit.1.jsonl", "audit.2.jsonl", "audit.jsonl"]);
    for (const name of readdirSync(scratch.dir)) {
      expect(readFileSync(join(scratch.dir, name)).length).toBeLessThanOrEqual(1000);
    }
    const { values } = scratch;
    expect(values.at(-1)).toBe("39");
    expect(values).toEqual(values.map((_, at) => String(40 - values.length + at)));
    // Whoever opens a file that is full puts it aside first.
    scratch.log({ bytesMax: 1, filesMax: 9 }).record(entry("40"));
    expect(scratch.values.slice(-2)).toEqual(["39", "40"]);
  });

  it("is read alike in pieces of any size, which cut through lines and letters", () => {
    using scratch = new Scratch();
    const log = scratch.log();
    for (const text of ["1", "2", "drei: ä€𝄞"]) log.record(entry(text));
    appendFileSync(auditFile(scratch.dir), `{"time":"2026`);
    const whole = scratch.read();
    expect(whole.records.map((record) => record.new)).toEqual(["1", "2", "drei: ä€𝄞"]);
    expect(whole.torn).toBe(1);
    for (const bytes of [1, 2, 3, 7, 100, 1000]) expect(scratch.read({}, bytes)).toEqual(whole);
  });

  it("is read where a file is larger than any string can be", () => {
    using scratch = new Scratch();
    scratch.log().record(entry("1"));
    // A hole, which takes no place on the disk: a line that is none.
    truncateSync(auditFile(scratch.dir), 600 * 2 ** 20);
    appendFileSync(auditFile(scratch.dir), "\n");
    scratch.log().record(entry("2"));
    expect(scratch.values).toEqual(["1", "2"]);
    expect(scratch.read().torn).toBe(1);
  });

  it("keeps fewer files from the next rotation on, where fewer are wanted", () => {
    using scratch = new Scratch();
    const fill = (filesMax: number): void => {
      const log = scratch.log({ bytesMax: 400, filesMax });
      for (let at = 0; at < 20; at++) log.record(entry(String(at)));
    };
    fill(9);
    expect(readdirSync(scratch.dir)).toHaveLength(9);
    fill(2);
    expect(readdirSync(scratch.dir).toSorted()).toEqual(["audit.1.jsonl", "audit.jsonl"]);
  });

  it("never throws on a full disk: counts, says so, and is whole again afterwards", () => {
    using scratch = new Scratch();
    const log = scratch.log();
    log.record(entry("1"));
    scratch.files.fails = (operation) => (operation === "write" ? "ENOSPC" : undefined);
    for (const bytes of [0, 1, 50]) {
      scratch.files.bytesBefore = bytes;
      log.record(entry("lost"));
    }
    expect(log.failures).toBe(3);
    expect(scratch.failures).toEqual(Array(3).fill("ENOSPC: write"));
    scratch.files.fails = () => undefined;
    log.record(entry("2"));
    expect(scratch.recovered).toBe(1);
    expect(scratch.values).toEqual(["1", "2"]);
  });

  it("survives a failure of each of its file operations", () => {
    using scratch = new Scratch();
    const run = (): void => {
      const log = scratch.log({ bytesMax: 600, filesMax: 2 });
      for (let at = 0; at < 6; at++) log.record(entry(String(at)));
      log.release();
    };
    run();
    const operations = scratch.files.asked.length;
    expect(operations).toBeGreaterThan(10);
    for (let failing = 0; failing < operations; failing++) {
      const first = scratch.files.asked.length;
      scratch.files.fails = (_, at) => (at === first + failing ? "EIO" : undefined);
      expect(run).not.toThrow();
      expect(scratch.read().torn).toBe(0);
    }
    expect(scratch.failures.length).toBeGreaterThan(5);
  });

  it("is read by guest and time, oldest first", () => {
    using scratch = new Scratch();
    const log = scratch.log({ bytesMax: 400 });
    log.record(entry("1", "a"));
    log.record(entry("2", "b"));
    scratch.nowMs += 1000;
    log.record(entry("3", "a"));
    const values = (filter: object): string[] => scratch.read(filter).records.map((record) => record.new);
    expect(values({})).toEqual(["1", "2", "3"]);
    expect(values({ guest: "a" })).toEqual(["1", "3"]);
    expect(values({ guest: "name of b" })).toEqual(["2"]);
    expect(values({ sinceMs: scratch.nowMs })).toEqual(["3"]);
    rmSync(join(scratch.dir, "audit.1.jsonl"));
    expect(values({})).toEqual(["1", "3"]);
  });

  it("witnesses what the kernel says right after a write", () => {
    const records: AuditEntry[] = [];
    const guest = { uuid: "u-1", name: "web" };
    const subject = { event: "restore", guest, reason: "stopped" } as const;
    const witness = witnessOf({ record: (record) => records.push(record) }, subject, { read: () => "7\n" });
    const write = {
      op: "file",
      target: "guest",
      setting: "weight",
      key: "/c/cpu.shares",
      text: "8",
    } as const;
    witness?.({ write, old: "5", error: "EINVAL" });
    expect(records).toEqual([
      {
        event: "restore",
        guest: "u-1",
        name: "web",
        target: "guest",
        setting: "weight",
        file: "/c/cpu.shares",
        old: "5",
        new: "8",
        readBack: "7",
        error: "EINVAL",
        reason: "stopped",
      },
    ]);
    expect(witnessOf(undefined, subject, { read: () => undefined })).toBeUndefined();
  });
});
