/** Journals that older versions of this program wrote (test/older), and one that a later version might write. */
import { describe, expect, it } from "@jest/globals";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { crc32 } from "node:zlib";
import { formatCpuList } from "@kvm-governor/policy";
import { OLDER, olderFile } from "../../../../test/older/state.ts";
import type { ControlIo } from "../controls/kernel-io.ts";
import { affinityTid } from "../controls/write.ts";
import type { JournalEntry } from "./entries.ts";
import { HoldingMark } from "./holding-mark.ts";
import { Journal, journalFile, LaterJournalError, readJournalEntries } from "./journal.ts";
import { parseJournal } from "./records.ts";
import { restoreGuest } from "./restore-guest.ts";
import { isJournalWhole, restore } from "./restore.ts";

/** A host as plain files on which guests of a journal run, each held at something else than its first values. */
class Host implements Disposable {
  readonly dir = mkdtempSync(join(tmpdir(), "kvmgov-older-journal-"));
  readonly stateDir = join(this.dir, "state");
  readonly runDir = join(this.dir, "run");
  /** The boot that the journal was written in. */
  readonly bootId: string;
  readonly affinity = new Map<number, string>();
  readonly io: ControlIo = {
    read: (key) => {
      const tid = affinityTid(key);
      if (tid !== undefined) return this.affinity.get(tid);
      return existsSync(key) ? readFileSync(key, "utf8") : undefined;
    },
    write: (write) => {
      if (write.op === "affinity") this.affinity.set(write.tid, formatCpuList(write.cpus));
      else if (write.op === "file") writeFileSync(write.key, `${write.text}\n`);
    },
    matches: () => false,
    forget: () => undefined,
    close: () => undefined,
  };

  constructor(version: string) {
    mkdirSync(this.stateDir);
    mkdirSync(this.runDir);
    cpSync(olderFile(version, "journal"), journalFile(this.stateDir));
    cpSync(olderFile(version, "holding"), join(this.runDir, "holding"));
    [this.bootId = ""] = readFileSync(olderFile(version, "holding"), "utf8").split("\n");
  }

  /** The entry as it is in the journal, of a guest of this host: files and inodes are those of its own directory. */
  settle(entry: JournalEntry): JournalEntry {
    const { guest, threads } = entry;
    this.#thread(guest.pid, guest.pid, guest.startTime);
    for (const { tid, startTime } of threads.values()) this.#thread(guest.pid, tid, startTime);
    const files = [...entry.files.values()].map((file) => {
      const key = join(this.dir, file.key);
      mkdirSync(dirname(key), { recursive: true });
      writeFileSync(key, "7777\n");
      return [key, { ...file, key, inode: statSync(dirname(key)).ino }] as const;
    });
    return { ...entry, files: new Map(files) };
  }

  #thread(pid: number, tid: number, startTime: number): void {
    const dir = join(this.dir, `proc/${pid}/task/${tid}`);
    mkdirSync(dir, { recursive: true });
    const fields = Array.from({ length: 50 }, () => "0");
    fields[19] = String(startTime);
    writeFileSync(join(dir, "stat"), `${tid} (CPU 0/KVM) S ${fields.slice(1).join(" ")}\n`);
    this.affinity.set(tid, "2-3");
  }

  [Symbol.dispose](): void {
    rmSync(this.dir, { recursive: true });
  }
}

describe.each(OLDER)("the journal of version %s", (version) => {
  it("is read whole, and whoever looks for lost first values finds none missing", () => {
    using host = new Host(version);
    const journal = new Journal(host.stateDir, Date.now);
    expect(journal.opening.damage).toEqual([]);
    expect(journal.entries().map(({ guest }) => guest.name)).toEqual(
      expect.arrayContaining(["solver", 'web "a:b,c=d"']),
    );
    expect(isJournalWhole(host, host.bootId)).toBe(true);
    const mark = new HoldingMark(host.runDir, host.bootId);
    expect(mark.isSet).toBe(true);
    journal.attach(mark);
    expect(mark.runs).toHaveLength(journal.size);
  });

  it("gives every guest back what it had, and goes when that is done", async () => {
    using host = new Host(version);
    const journal = new Journal(host.stateDir, Date.now);
    let values = 0;
    for (const found of journal.entries()) {
      const entry = host.settle(found);
      const context = {
        io: host.io,
        procRoot: join(host.dir, "proc"),
        bootId: host.bootId,
        onlineCpus: [0, 1, 2, 3],
      };
      const restored = await restoreGuest(entry, context);
      expect(restored).toMatchObject({ outcome: "restored", notes: [] });
      for (const { key, raw } of entry.files.values()) expect([key, host.io.read(key)]).toEqual([key, raw]);
      for (const { tid, cpus } of entry.threads.values())
        expect([tid, host.affinity.get(tid)]).toEqual([tid, cpus]);
      values += entry.files.size + entry.threads.size;
      journal.close(found.guest, "restored");
    }
    expect(values).toBeGreaterThan(5);
    expect(existsSync(journalFile(host.stateDir))).toBe(false);
  });
});

describe("a journal with records of a later version", () => {
  const line = (record: object): string => {
    const json = JSON.stringify(record);
    return `${crc32(json).toString(16).padStart(8, "0")} ${json}\n`;
  };
  const [version = ""] = OLDER;

  it.each([
    ["alone", ""],
    ["behind known ones", readFileSync(olderFile(version, "journal"), "utf8")],
    ["behind a damaged one", "deadbeef {}\n"],
  ])("is refused by its version and left as it is: %s", async (_where, before) => {
    using host = new Host(version);
    const file = journalFile(host.stateDir);
    const text = `${before}${line({ type: "snapshot", version: 2, of: "everything" })}`;
    writeFileSync(file, text);
    const refused = new RegExp(`journal: reading: ${file} is of version 2, this program knows 1`);
    expect(() => new Journal(host.stateDir, Date.now)).toThrow(LaterJournalError);
    expect(() => readJournalEntries(host.stateDir)).toThrow(refused);
    expect(() => isJournalWhole(host, host.bootId)).toThrow(refused);
    const { stateDir, runDir } = host;
    await expect(restore({ stateDir, runDir, guests: () => [] })).rejects.toThrow(refused);
    expect(readFileSync(file, "utf8")).toBe(text);
    expect(new HoldingMark(runDir, host.bootId).isSet).toBe(true);
  });

  it("is damage, not a later version, where a byte of it is wrong", () => {
    const text = line({ type: "snapshot", version: 2 }).replace("snapshot", "snapshop");
    expect(parseJournal(Buffer.from(text))).toMatchObject({ records: [], damage: [{ kind: "corrupt" }] });
    expect(parseJournal(Buffer.from(text)).later).toBeUndefined();
  });
});
