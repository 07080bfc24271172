import { describe, expect, it } from "@jest/globals";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ControlIo } from "../controls/kernel-io.ts";
import { affinityTid, type Write } from "../controls/write.ts";
import type { JournalEntry } from "./entries.ts";
import type { FileBaseline } from "./records.ts";
import { restoreGuest, type GuestRestore } from "./restore-guest.ts";

/** A guest with one vCPU as plain files: /proc, one group, and affinities in memory. */
class Host implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "kvmgov-restore-"));
  readonly procRoot = join(this.dir, "proc");
  readonly group = join(this.dir, "cpu/g/vcpu0");
  readonly affinity = new Map([[103, "0"]]);
  readonly written: string[] = [];
  readonly io: ControlIo = {
    read: (key) => {
      const tid = affinityTid(key);
      return tid === undefined ? readOrUndefined(key) : this.affinity.get(tid);
    },
    write: (write: Write) => {
      this.written.push(write.key);
      if (write.op === "affinity") this.affinity.set(write.tid, write.text);
      else writeFileSync(write.key, `${write.text}\n`);
    },
    matches: () => false,
    forget: () => undefined,
    close: () => undefined,
  };

  constructor() {
    mkdirSync(this.group, { recursive: true });
    this.set("cpu.cfs_quota_us", "25000");
    this.set("cpu.cfs_period_us", "100000");
    this.thread(100, 5000);
    this.thread(103, 6000);
  }

  set(file: string, text: string): void {
    writeFileSync(join(this.group, file), `${text}\n`);
  }

  get(file: string): string {
    return readFileSync(join(this.group, file), "utf8");
  }

  thread(tid: number, startTime: number): void {
    const dir = join(this.procRoot, `100/task/${tid}`);
    mkdirSync(dir, { recursive: true });
    const fields = Array.from({ length: 50 }, () => "0");
    fields[19] = String(startTime);
    writeFileSync(join(dir, "stat"), `${tid} (CPU 0/KVM) S ${fields.slice(1).join(" ")}\n`);
  }

  entry(over: Partial<JournalEntry> = {}): JournalEntry {
    const file = (name: string, raw: string): [string, FileBaseline] => {
      const key = join(this.group, name);
      const inode = statSync(this.group).ino;
      return [key, { key, version: 1, inode, target: "vcpu 0", setting: "bandwidth", raw }];
    };
    return {
      bootId: "boot-1",
      guest: { uuid: "u", name: "web", pid: 100, startTime: 5000 },
      mountPoints: [join(this.dir, "cpu")],
      files: new Map([file("cpu.cfs_quota_us", "80000\n"), file("cpu.cfs_period_us", "200000\n")]),
      threads: new Map([[103, { tid: 103, startTime: 6000, target: "vcpu 0", cpus: "1" }]]),
      ...over,
    };
  }

  restore(entry = this.entry()): Promise<GuestRestore> {
    return restoreGuest(entry, { io: this.io, procRoot: this.procRoot, bootId: "boot-1" });
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

function readOrUndefined(file: string): string | undefined {
  return statSync(file, { throwIfNoEntry: false }) === undefined ? undefined : readFileSync(file, "utf8");
}

describe("restoring a guest", () => {
  it("writes what differs and compares all of it", async () => {
    using host = new Host();
    const restored = await host.restore();
    expect(restored).toMatchObject({ outcome: "restored", verified: 3, notes: [] });
    expect([host.get("cpu.cfs_quota_us"), host.get("cpu.cfs_period_us"), host.affinity.get(103)]).toEqual([
      "80000\n",
      "200000\n",
      "1",
    ]);
    host.written.length = 0;
    expect((await host.restore()).outcome).toBe("restored");
    expect(host.written).toEqual([]);
  });

  it.each([
    ["another boot", (host: Host) => host.entry({ bootId: "boot-0" })],
    [
      "another process of that id",
      (host: Host) => host.entry({ guest: { uuid: "u", name: "web", pid: 100, startTime: 1 } }),
    ],
    [
      "a process that ended",
      (host: Host) => host.entry({ guest: { uuid: "u", name: "web", pid: 99, startTime: 5000 } }),
    ],
  ])("writes nothing for %s", async (_what, entryOf) => {
    using host = new Host();
    const restored = await host.restore(entryOf(host));
    expect(restored.outcome).toBe("gone");
    expect(restored.notes).toHaveLength(1);
    expect(host.written).toEqual([]);
  });

  it("writes nothing to a group that was made anew under the same name", async () => {
    using host = new Host();
    const entry = host.entry();
    for (const [key, file] of entry.files) entry.files.set(key, { ...file, inode: file.inode + 1 });
    const restored = await host.restore(entry);
    expect(host.written).toEqual(["affinity 103"]);
    expect(restored.notes.join()).toMatch("another group by now");
  });

  it("writes nothing to a thread id that was used again", async () => {
    using host = new Host();
    host.thread(103, 7777);
    await host.restore();
    expect(host.affinity.get(103)).toBe("0");
    expect(host.get("cpu.cfs_quota_us")).toBe("80000\n");
  });

  it("says what does not read as before", async () => {
    using host = new Host();
    const { write } = host.io;
    host.io.write = (one) => {
      if (one.op === "affinity") throw Object.assign(new Error("EINVAL"), { code: "EINVAL" });
      return write(one);
    };
    const restored = await host.restore();
    expect(restored).toMatchObject({ outcome: "failed", notes: ["affinity 103 does not read as before"] });
    expect(restored.writes.filter(({ error }) => error !== undefined)).toHaveLength(1);
    expect(host.get("cpu.cfs_quota_us")).toBe("80000\n");
  });
});
