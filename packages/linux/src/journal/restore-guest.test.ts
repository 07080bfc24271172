import { describe, expect, it } from "@jest/globals";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { formatCpuList } from "@kvm-governor/policy";
import type { ControlIo } from "../controls/kernel-io.ts";
import { affinityTid, type Write } from "../controls/write.ts";
import type { JournalEntry } from "./entries.ts";
import { onlinePart } from "./online.ts";
import type { FileBaseline, ThreadBaseline } from "./records.ts";
import { restoreGuest, type GuestRestore } from "./restore-guest.ts";

const refused = Object.assign(new Error("EINVAL"), { code: "EINVAL" });

/** A guest with one vCPU as plain files: /proc, one group, and affinities in memory. */
class Host implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "kvmgov-restore-"));
  readonly procRoot = join(this.dir, "proc");
  readonly group = join(this.dir, "cpu/g/vcpu0");
  readonly affinity = new Map([[103, "0"]]);
  /** Affinities are told without the others, and v1 refuses the others in a cpuset. */
  online = [0, 1, 2, 3];
  readonly written: string[] = [];
  readonly io: ControlIo = {
    read: (key) => {
      const tid = affinityTid(key);
      const cpus = tid === undefined ? undefined : this.affinity.get(tid);
      if (tid === undefined) return readOrUndefined(key);
      return cpus === undefined ? undefined : onlinePart(cpus, this.online);
    },
    write: (write: Write) => {
      this.written.push(write.key);
      if (write.op === "affinity") {
        if (!write.cpus.some((cpu) => this.online.includes(cpu))) throw refused;
        this.affinity.set(write.tid, formatCpuList(write.cpus));
        return;
      }
      if (
        write.op === "file" &&
        write.setting === "cpus" &&
        onlinePart(write.text, this.online) !== write.text
      )
        throw refused;
      writeFileSync(write.key, `${write.text}\n`);
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

  thread(tid: number, startTime: number, group?: string): void {
    const dir = join(this.procRoot, `100/task/${tid}`);
    mkdirSync(dir, { recursive: true });
    const fields = Array.from({ length: 50 }, () => "0");
    fields[19] = String(startTime);
    writeFileSync(join(dir, "stat"), `${tid} (CPU 0/KVM) S ${fields.slice(1).join(" ")}\n`);
    if (group !== undefined) writeFileSync(join(dir, "cgroup"), `4:cpuset:${group}\n`);
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
    const { io, procRoot, online } = this;
    return restoreGuest(entry, { io, procRoot, bootId: "boot-1", onlineCpus: online });
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

  it("brings threads back into the group that whoever was killed had moved them out of", async () => {
    using host = new Host();
    const entry = host.entry();
    const [file] = entry.files.values();
    const key = join(host.group, "cpuset.cpus");
    writeFileSync(key, "\n");
    entry.files.set(key, { ...(file as FileBaseline), version: 2, key, setting: "cpus", raw: "\n" });
    writeFileSync(join(host.dir, "cpu/g/cgroup.threads"), "101\n103\n");
    host.set("cgroup.threads", "");
    const restored = await host.restore(entry);
    expect(restored.outcome).toBe("restored");
    expect(host.get("cgroup.threads")).toBe("103\n");
  });

  describe("on a host where CPUs went offline since", () => {
    /** A vCPU with a cpuset of its own on v1, which is held on CPU 0. */
    function withCpuset(host: Host, cpus: string): JournalEntry {
      host.set("cpuset.cpus", "0");
      writeFileSync(join(host.dir, "cpu/g/cpuset.effective_cpus"), "0-1\n");
      const entry = host.entry();
      const [file] = entry.files.values();
      const key = join(host.group, "cpuset.cpus");
      entry.files.set(key, { ...(file as FileBaseline), key, setting: "cpus", raw: `${cpus}\n` });
      entry.threads.set(103, { tid: 103, startTime: 6000, target: "vcpu 0", cpus });
      return entry;
    }

    it("gives back the others, says so, and asks for all of them where the kernel remembers", async () => {
      using host = new Host();
      host.online = [0, 1, 2];
      const restored = await host.restore(withCpuset(host, "1-3"));
      expect(restored.outcome).toBe("restored");
      expect(restored.writes.filter(({ error }) => error !== undefined)).toEqual([]);
      expect([host.get("cpuset.cpus"), host.affinity.get(103)]).toEqual(["1-2\n", "1-3"]);
      expect(restored.notes).toEqual([
        expect.stringMatching(/cpuset.cpus was 1-3: of that 1-2 can be given back/),
        expect.stringMatching(/^affinity 103 was 1-3: of that 1-2 can be given back/),
      ]);
      expect((await host.restore(withCpuset(host, "1-2"))).notes).toEqual([]);
    });

    it("gives what is above where all of them are offline", async () => {
      using host = new Host();
      host.online = [0, 1];
      const restored = await host.restore(withCpuset(host, "2-3"));
      expect(restored.outcome).toBe("restored");
      expect([host.get("cpuset.cpus"), host.affinity.get(103)]).toEqual(["0-1\n", "0-1"]);
    });
  });

  describe("the threads of which were made while it was held", () => {
    const HELD_SINCE = 7000;
    const held = (tid: number, cpus: string, startTime: number): [number, ThreadBaseline] => [
      tid,
      { tid, startTime, target: "emulator", cpus, heldSince: HELD_SINCE },
    ];

    /** The first thread is held on CPU 0, the vCPU on CPU 3. */
    function heldHost(): { host: Host; entry: JournalEntry } {
      const host = new Host();
      host.affinity.set(100, "0").set(103, "3");
      const entry = host.entry({ threads: new Map([held(100, "0-3", 5000), held(103, "1", 6000)]) });
      return { host, entry };
    }

    it.each([
      ["gives those what their maker had", HELD_SINCE, "0", "0-3"],
      ["also where a vCPU made them", 8000, "3", "1"],
      ["leaves those alone that are older than the hold", HELD_SINCE - 1, "0", "0"],
      ["leaves those alone that have another affinity", 8000, "2", "2"],
    ])("%s", async (_what, startTime, now, then) => {
      const { host, entry } = heldHost();
      using _ = host;
      host.thread(104, startTime);
      host.affinity.set(104, now);
      expect((await host.restore(entry)).outcome).toBe("restored");
      expect([100, 103, 104].map((tid) => host.affinity.get(tid))).toEqual(["0-3", "1", then]);
      // Before their makers: who is interrupted in between still finds them.
      if (now !== then)
        expect(host.written.filter((key) => key.startsWith("affinity"))[0]).toBe("affinity 104");
      expect((await host.restore(entry)).writes).toEqual([]);
    });

    it("gives back those, too, that begin while their maker is being given back, and one that those make", async () => {
      const { host, entry } = heldHost();
      using _ = host;
      const { write } = host.io;
      const born = [104, 105];
      host.io.write = (one) => {
        const tid = born.shift();
        if (tid !== undefined) {
          host.thread(tid, 8000);
          host.affinity.set(tid, "0");
        }
        return write(one);
      };
      expect((await host.restore(entry)).outcome).toBe("restored");
      expect([100, 103, 104, 105].map((tid) => host.affinity.get(tid))).toEqual(["0-3", "1", "0-3", "0-3"]);
    });

    it("leaves those alone that are in other groups than their maker", async () => {
      const { host, entry } = heldHost();
      using _ = host;
      host.thread(100, 5000, "/a");
      host.thread(104, 8000, "/b");
      host.affinity.set(104, "0");
      await host.restore(entry);
      expect(host.affinity.get(104)).toBe("0");
    });

    it("leaves those alone where the first thread itself was not held", async () => {
      const { host, entry } = heldHost();
      using _ = host;
      entry.threads.delete(100);
      host.affinity.set(103, "0");
      host.thread(104, 8000);
      host.affinity.set(104, "0");
      await host.restore(entry);
      expect([host.affinity.get(103), host.affinity.get(104)]).toEqual(["1", "0"]);
    });
  });
});
