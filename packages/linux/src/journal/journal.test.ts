import { describe, expect, it } from "@jest/globals";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { HoldingMark } from "./holding-mark.ts";
import { Journal, journalFile } from "./journal.ts";
import { FailingFiles } from "./testing/failing-files.ts";
import { encodeRecord, parseJournal, type BaselineRecord, type GuestRun } from "./records.ts";

const guest = (n: number): GuestRun => ({
  uuid: `00000000-0000-0000-0000-00000000000${n}`,
  name: `a:b,c="d"\n${n}`,
  pid: 100 + n,
  startTime: 5000 + n,
});

const baseline = (n: number, raw = "25000\n"): Omit<BaselineRecord, "type" | "version"> => ({
  bootId: "fcb5ddbd-19aa-478b-b3ea-f986bf459774",
  guest: guest(n),
  mountPoints: ["/sys/fs/cgroup/cpu"],
  files: [
    {
      key: `/sys/fs/cgroup/cpu/g${n}/vcpu0/cpu.cfs_quota_us`,
      version: 1,
      inode: 77,
      target: "vcpu 0",
      setting: "bandwidth",
      raw,
    },
  ],
  threads: [{ tid: 103, startTime: 6000, target: "vcpu 0", cpus: "0-1" }],
});

class Scratch implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "kvmgov-journal-"));
  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

const stamp = (): number => 1;

describe("journal", () => {
  it("gives back what was kept, after it was opened again", () => {
    using scratch = new Scratch();
    const journal = new Journal(scratch.dir, stamp);
    journal.keep(baseline(1));
    journal.keep(baseline(2));
    const again = new Journal(scratch.dir, stamp);
    expect(again.opening.damage).toEqual([]);
    expect(again.entries().map((entry) => entry.guest)).toEqual([guest(1), guest(2)]);
    expect([...(again.entry(guest(1))?.files.values() ?? [])]).toEqual(baseline(1).files);
    expect([...(again.entry(guest(1))?.threads.values() ?? [])]).toEqual(baseline(1).threads);
  });

  it("keeps the first value of a key, not a later one", () => {
    using scratch = new Scratch();
    const journal = new Journal(scratch.dir, stamp);
    journal.keep(baseline(1, "first\n"));
    journal.keep(baseline(1, "second\n"));
    for (const one of [journal, new Journal(scratch.dir, stamp)]) {
      expect([...(one.entry(guest(1))?.files.values() ?? [])].map((file) => file.raw)).toEqual(["first\n"]);
    }
  });

  it("knows a restarted guest from the one before", () => {
    using scratch = new Scratch();
    const journal = new Journal(scratch.dir, stamp);
    journal.keep(baseline(1));
    expect(journal.entry({ ...guest(1), startTime: 9999 })).toBeUndefined();
    expect(journal.entry({ ...guest(1), pid: 9999 })).toBeUndefined();
  });

  it("leaves nothing behind when every guest was restored", () => {
    using scratch = new Scratch();
    const journal = new Journal(scratch.dir, stamp);
    journal.keep(baseline(1));
    journal.keep(baseline(2));
    journal.close(guest(1), "restored");
    expect(new Journal(scratch.dir, stamp).entries()).toHaveLength(1);
    journal.close(guest(2), "gone");
    expect(readdirSync(scratch.dir)).toEqual([]);
    journal.keep(baseline(3));
    expect(new Journal(scratch.dir, stamp).entries()).toHaveLength(1);
  });

  it("is rewritten when it is mostly closed entries", () => {
    using scratch = new Scratch();
    const journal = new Journal(scratch.dir, stamp);
    journal.keep(baseline(1));
    for (let turn = 0; turn < 600; turn++) {
      journal.keep(baseline(2));
      journal.close(guest(2), "restored");
    }
    expect(readFileSync(journalFile(scratch.dir), "utf8").split("\n").length).toBeLessThan(500);
    expect(new Journal(scratch.dir, stamp).entries().map((entry) => entry.guest)).toEqual([guest(1)]);
  });

  it("cut off at any byte, keeps every whole record, says what is torn and keeps it aside", () => {
    const lines = [1, 2, 3].map((n) =>
      Buffer.from(encodeRecord({ type: "baseline", version: 1, ...baseline(n) })),
    );
    const bytes = Buffer.concat(lines);
    const ends = lines.map((_, at) => lines.slice(0, at + 1).reduce((sum, line) => sum + line.length, 0));
    for (let length = 0; length <= bytes.length; length++) {
      const whole = ends.filter((end) => end <= length).length;
      const parsed = parseJournal(bytes.subarray(0, length));
      const torn = length - (ends[whole - 1] ?? 0);
      expect(parsed.records.map((record) => record.guest)).toEqual([1, 2, 3].slice(0, whole).map(guest));
      const damage = { kind: "torn", offset: length - torn, bytes: torn };
      expect(parsed.damage).toEqual(torn === 0 ? [] : [damage]);
    }
  });

  it("goes on after a torn end, which it keeps aside", () => {
    using scratch = new Scratch();
    const whole = encodeRecord({ type: "baseline", version: 1, ...baseline(1) });
    const torn = `${whole}${whole.slice(0, 50)}`;
    writeFileSync(journalFile(scratch.dir), torn);
    const journal = new Journal(scratch.dir, () => 42);
    expect(journal.opening.damage).toHaveLength(1);
    expect(readFileSync(join(scratch.dir, "journal.damaged-42"), "utf8")).toBe(torn);
    journal.keep(baseline(2));
    const again = new Journal(scratch.dir, stamp);
    expect(again.opening.damage).toEqual([]);
    expect(again.entries()).toHaveLength(2);
  });

  it("finds any changed byte", () => {
    const bytes = Buffer.from(encodeRecord({ type: "baseline", version: 1, ...baseline(1) }));
    for (let at = 0; at < bytes.length - 1; at++) {
      const changed = Buffer.from(bytes);
      changed.writeUInt8(changed.readUInt8(at) ^ 1, at);
      expect(parseJournal(changed).records).toEqual([]);
    }
  });

  it("uses what is intact behind a corrupt line", () => {
    const good = (n: number): string => encodeRecord({ type: "baseline", version: 1, ...baseline(n) });
    const parsed = parseJournal(Buffer.from(`${good(1)}deadbeef {}\n${good(2)}`));
    expect(parsed.records).toHaveLength(2);
    expect(parsed.damage).toMatchObject([{ kind: "corrupt" }]);
  });

  it("refuses to keep a baseline where it cannot be written", () => {
    using scratch = new Scratch();
    writeFileSync(join(scratch.dir, "file"), "");
    const journal = new Journal(join(scratch.dir, "file"), stamp);
    expect(() => journal.keep(baseline(1))).toThrow(/journal: appending/);
    expect(journal.entry(guest(1))).toBeUndefined();
    expect(existsSync(journalFile(scratch.dir))).toBe(false);
  });

  it.each([
    ["remove", [1, 3]],
    ["syncDirectory", [3]],
  ] as const)("keeps the last run where %s of the file fails, and goes on after it", (failing, left) => {
    using scratch = new Scratch();
    const files = new FailingFiles();
    const journal = new Journal(scratch.dir, stamp, files);
    journal.keep(baseline(1));
    files.fails = (operation) => (operation === failing ? "EROFS" : undefined);
    expect(() => journal.close(guest(1), "restored")).toThrow(/journal: removing: EROFS/);
    expect(journal.size).toBe(1);
    // An append that fails cuts the file back to where its last whole line ended.
    files.fails = (operation) => (operation === "sync" ? "EIO" : undefined);
    expect(() => journal.keep(baseline(2))).toThrow(/journal: appending: EIO/);
    files.fails = () => undefined;
    journal.keep(baseline(3));
    const again = new Journal(scratch.dir, stamp);
    expect(again.opening.damage).toEqual([]);
    expect(again.entries().map((entry) => entry.guest)).toEqual(left.map(guest));
    for (const n of [1, 3]) journal.close(guest(n), "restored");
    expect(readdirSync(scratch.dir)).toEqual([]);
  });

  it("keeps the mark in step: the runs that it holds, and those the first values of which were lost", () => {
    using scratch = new Scratch();
    const marked = (): number[] =>
      new HoldingMark(scratch.dir, "boot-1").runs.map(({ pid }) => pid - 100).toSorted((a, b) => a - b);
    new HoldingMark(scratch.dir, "boot-1").update([guest(7)]);
    const journal = new Journal(scratch.dir, stamp);
    journal.attach(new HoldingMark(scratch.dir, "boot-1"));
    for (const n of [1, 2]) journal.keep(baseline(n));
    expect(marked()).toEqual([1, 2, 7]);
    for (const n of [1, 2]) journal.close(guest(n), "restored");
    expect(marked()).toEqual([7]);
  });
});
