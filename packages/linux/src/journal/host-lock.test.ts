import { describe, expect, it } from "@jest/globals";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readHeartbeat, writeHeartbeat, heartbeatFile, removeHeartbeat } from "./heartbeat.ts";
import { HoldingMark } from "./holding-mark.ts";
import { HostLock, HostLockedError, lockFile, readLockHolder, startTimeOf } from "./host-lock.ts";

class Scratch implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "kvmgov-lock-"));
  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

describe("host lock", () => {
  it("keeps a second one out and names the holder", () => {
    using scratch = new Scratch();
    const own = { pid: process.pid, startTime: startTimeOf("/proc", process.pid) };
    {
      using _lock = new HostLock(scratch.dir);
      expect(readLockHolder(scratch.dir)).toEqual(own);
      expect(() => new HostLock(scratch.dir)).toThrow(HostLockedError);
      expect(() => new HostLock(scratch.dir)).toThrow(`held by process ${process.pid}`);
      expect(readLockHolder(scratch.dir)).toEqual(own);
    }
    expect(readLockHolder(scratch.dir)).toBeUndefined();
    using again = new HostLock(scratch.dir);
    expect(again.isHeld()).toBe(true);
  });

  it("notices that its file was taken away", () => {
    using scratch = new Scratch();
    using lock = new HostLock(scratch.dir);
    rmSync(lockFile(scratch.dir));
    expect(lock.isHeld()).toBe(false);
    using _other = new HostLock(scratch.dir);
    expect(lock.isHeld()).toBe(false);
  });

  it("takes no garbage for a holder", () => {
    using scratch = new Scratch();
    for (const text of ["", "x\n", "12\n", "12 34", "-1 5\n"]) {
      writeFileSync(lockFile(scratch.dir), text);
      expect(readLockHolder(scratch.dir)).toBeUndefined();
    }
  });
});

describe("heartbeat", () => {
  it("is read as it was written, and gone when removed", () => {
    using scratch = new Scratch();
    const beat = { pid: 7, bootTimeUs: 123, expiresAtUs: 456, holding: true };
    writeHeartbeat(scratch.dir, beat);
    expect(readHeartbeat(scratch.dir)).toEqual(beat);
    removeHeartbeat(scratch.dir);
    removeHeartbeat(scratch.dir);
    expect(readHeartbeat(scratch.dir)).toBeUndefined();
  });

  it.each(["", "{", "{}", `{"pid":"7","bootTimeUs":1,"holding":true}`])(
    "is none when it reads %s",
    (text) => {
      using scratch = new Scratch();
      writeFileSync(heartbeatFile(scratch.dir), text);
      expect(readHeartbeat(scratch.dir)).toBeUndefined();
    },
  );
});

describe("holding mark", () => {
  const web = { uuid: "u-1", pid: 7, startTime: 70 };
  const db = { uuid: "u-2", pid: 8, startTime: 80 };

  it("counts for its own boot only", () => {
    using scratch = new Scratch();
    const mark = new HoldingMark(scratch.dir, "boot-1");
    expect(mark.isSet).toBe(false);
    mark.update([web]);
    expect(readFileSync(join(scratch.dir, "holding"), "utf8")).toBe("boot-1\nu-1 7 70\n");
    expect(new HoldingMark(scratch.dir, "boot-1").isSet).toBe(true);
    expect(new HoldingMark(scratch.dir, "boot-2")).toMatchObject({ isSet: false, runs: [] });
    mark.clear();
    expect(new HoldingMark(scratch.dir, "boot-1").isSet).toBe(false);
  });

  it("names the runs that are held, also after a restart of the guest", () => {
    using scratch = new Scratch();
    const mark = new HoldingMark(scratch.dir, "boot-1");
    mark.update([web, db]);
    const again = new HoldingMark(scratch.dir, "boot-1");
    expect(again.runs).toEqual([web, db]);
    expect(again.missingIn([{ ...web, startTime: 71 }, db])).toEqual([web]);
    again.update([db]);
    expect(new HoldingMark(scratch.dir, "boot-1").runs).toEqual([db]);
    again.update([web]);
    expect(new HoldingMark(scratch.dir, "boot-1").runs).toEqual([web]);
  });
});
