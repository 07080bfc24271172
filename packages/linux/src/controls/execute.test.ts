import { execFile } from "node:child_process";
import { describe, expect, it } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { cpusetWrites } from "./cpuset.ts";
import { executeWrites, readBack, reportOf } from "./execute.ts";
import { ControlWriteError, KernelIo, type ControlIo } from "./kernel-io.ts";
import { KernelModel, type ModelGroup } from "./testing/kernel-model.ts";
import type { Write } from "./write.ts";

const run = promisify(execFile);

const quota = (text: string, target = "vcpu 0"): Write => ({
  op: "file",
  target,
  setting: "bandwidth",
  key: `/m/g/${target}/cpu.cfs_quota_us`,
  text,
});
const period: Write = { ...quota("20000"), key: "/m/g/vcpu 0/cpu.cfs_period_us" };

function memory(
  refused: (write: Write) => boolean = () => false,
): ControlIo & { files: Map<string, string> } {
  const files = new Map<string, string>();
  return {
    files,
    read: (key) => `${files.get(key) ?? "-1"}\n`,
    write: (write) => {
      if (refused(write)) throw Object.assign(new Error("refused"), { code: "EINVAL", errno: -22 });
      files.set(write.key, write.text);
    },
    matches: () => false,
    forget: () => undefined,
    close: () => undefined,
  };
}

describe("making writes", () => {
  it("stops one setting where a write of it is refused, and goes on with the others", async () => {
    const io = memory(({ text }) => text === "999");
    const results = await executeWrites([quota("999"), period, quota("5000", "vcpu 1")], io);
    expect(results.map(({ code }) => code)).toEqual(["EINVAL", "SKIPPED", undefined]);
    expect([...io.files.values()]).toEqual(["5000"]);
  });

  it("takes nothing from one vCPU where another did not get what it was to get", async () => {
    const io = memory(({ target }) => target === "vcpu 0");
    const writes: Write[] = [quota("9000"), { ...quota("1000", "vcpu 1"), takes: true }];
    const results = await executeWrites(writes, io);
    expect(results.map(({ code }) => code)).toEqual(["EINVAL", "SKIPPED"]);
    expect(io.files.size).toBe(0);
    expect((await executeWrites(writes.toReversed(), io)).map(({ code }) => code)).toEqual([
      undefined,
      "EINVAL",
    ]);
  });

  it("stops at once when writing is forbidden in between", async () => {
    const io = memory();
    let asked = 0;
    const results = await executeWrites([quota("5000"), period], io, () =>
      asked++ === 0 ? undefined : "too late",
    );
    expect(results.map(({ error }) => error)).toEqual([undefined, "not written: too late"]);
    expect(io.files.size).toBe(1);
  });

  describe("that move threads", () => {
    /** A group with two threads of three that are named, and the writes that make it empty. */
    function populated(): { model: KernelModel; group: ModelGroup; writes: Write[] } {
      const model = new KernelModel(2);
      model.addGroup("/g");
      const group = model.addGroup("/g/vcpu0", { cpus: [1], tids: [7, 8] });
      for (const tid of [7, 8]) model.affinity.set(tid, [1]);
      const change = {
        version: 2,
        target: "vcpu 0",
        dir: "/g/vcpu0",
        from: [1],
        to: [],
        tids: [7, 9, 8],
      } as const;
      return { model, group, writes: cpusetWrites([change]) };
    }

    it("passes over one that has ended", async () => {
      const { model, group, writes } = populated();
      const results = await executeWrites(writes, model);
      expect(results.filter(({ error }) => error !== undefined)).toEqual([]);
      expect(group).toMatchObject({ cpus: [], tids: [7, 8] });
    });

    it.each([0, 2, 3])("brings all back where write %i of them is refused, and says which", async (at) => {
      const { model, group, writes } = populated();
      const write = model.write.bind(model);
      model.write = (one) => {
        if (one === writes[at]) throw Object.assign(new Error("EBUSY"), { code: "EBUSY" });
        write(one);
      };
      const results = await executeWrites(writes, model);
      expect(results.find(({ write: one }) => one === writes[at])?.code).toBe("EBUSY");
      expect(group.tids.toSorted((a, b) => a - b)).toEqual([7, 8]);
      expect(group.cpus).toEqual([1]);
    });

    it.each([1, 2, 3])("brings all back where writing is forbidden after %i of them", async (allowed) => {
      const { model, group, writes } = populated();
      let asked = 0;
      await executeWrites(writes, model, () => (asked++ < allowed ? undefined : "too late"));
      expect(group.tids.toSorted((a, b) => a - b)).toEqual([7, 8]);
    });
  });

  it("does not write an affinity that is right already", async () => {
    const io = memory();
    io.files.set("affinity 5", "0-1");
    const write: Write = {
      op: "affinity",
      target: "vcpu 0",
      setting: "affinity",
      key: "affinity 5",
      text: "0-1",
      tid: 5,
      cpus: [0, 1],
    };
    expect(await executeWrites([{ ...write }], { ...io, read: () => "0-1" })).toEqual([]);
  });

  it("reads back: a value that is not what was written is an error", async () => {
    const io = memory();
    const results = await executeWrites([quota("1"), quota("5000"), period], io);
    io.files.set(period.key, "777");
    expect(readBack(results, io).map(({ readBack: value, code }) => [value, code])).toEqual([
      [undefined, undefined],
      ["5000", undefined],
      ["777", "MISMATCH"],
    ]);
    expect(readBack(results, { read: () => undefined }).map(({ code }) => code)).toEqual([
      undefined,
      "ENOENT",
      "ENOENT",
    ]);
  });

  it("reports a file below its mount point", () => {
    expect(reportOf({ write: quota("5000"), old: "-1", readBack: "5000" }, "u", ["/m"])).toEqual({
      guest: "u",
      target: "vcpu 0",
      setting: "bandwidth",
      file: "g/vcpu 0/cpu.cfs_quota_us",
      old: "-1",
      wanted: "5000",
      readBack: "5000",
    });
  });
});

describe("control files of the kernel", () => {
  it("stay open, are forgotten with their group, and are gone when they are gone", async () => {
    const dir = mkdtempSync(join(tmpdir(), "kvmgov-io-"));
    const io = new KernelIo("write");
    try {
      const key = join(dir, "cpu.shares");
      expect(io.read(key)).toBeUndefined();
      writeFileSync(key, "1024\n");
      expect(io.read(key)).toBe("1024\n");
      expect(io.read(key)).toBe("1024\n");
      expect(io.openCount).toBe(1);
      io.forget([dir]);
      expect(io.openCount).toBe(0);
      const missing: Write = {
        op: "file",
        target: "guest",
        setting: "weight",
        key: join(dir, "no"),
        text: "1",
      };
      const error = await io.write(missing).catch((caught: unknown) => caught);
      expect(error).toBeInstanceOf(ControlWriteError);
      expect(error).toMatchObject({ code: "ENOENT", errno: 2 });
      expect((error as Error).cause).toMatchObject({ code: "ENOENT" });
      const reader = new KernelIo("read");
      await expect(reader.write({ ...missing, key })).rejects.toThrow("EBADF");
      reader.close();
    } finally {
      io.close();
      rmSync(dir, { recursive: true });
    }
  });

  it("are told by what a program said that refused, not by its exit status", async () => {
    const write: Write = {
      ...{ op: "unit", unit: "vm.scope", property: "CPUWeight", value: "idle" },
      ...{ target: "guest", setting: "weight", key: "/g/cpu.idle", text: "1" },
    };
    const told = async (script: string, timeout = 5000): Promise<ControlWriteError> => {
      const cause = await run("sh", ["-c", script], { timeout }).catch((error: unknown) => error);
      return new ControlWriteError(write, cause);
    };
    const refused = await told("echo 'Failed: Unit vm.scope not found.' >&2; exit 1");
    expect(refused).toMatchObject({ code: "EUNKNOWN", errno: undefined });
    expect(refused.message).toMatch(
      /^writing "1" to \/g\/cpu\.idle: sh -c .*: Failed: Unit vm\.scope not found\.$/,
    );
    expect((await told("exit 4")).message).toMatch(/: exit code 4$/);
    expect((await told("exec sleep 60", 50)).message).toMatch(/: took too long$/);
    const missing = await run("/no/such/program", []).catch((error: unknown) => error);
    expect(new ControlWriteError(write, missing)).toMatchObject({ code: "ENOENT", errno: 2 });
  });
});
