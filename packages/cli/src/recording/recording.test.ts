import {
  closeSync,
  mkdtempSync,
  openSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "@jest/globals";
import { settingsSchema } from "@kvm-governor/policy";
import type { Host, Sample } from "@kvm-governor/policy";
import { encodeFrame } from "./frame.ts";
import { RecordingError, readRecording } from "./reader.ts";
import type { RecordingProblem } from "./reader.ts";
import { RecordingWriteError, RecordingWriter, recordingsIn } from "./writer.ts";
import type { WriterOptions } from "./writer.ts";

const MIB = 1024 * 1024;

let dir: string;
let nowMs: number;
beforeEach(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-recording-"));
  nowMs = Date.UTC(2026, 0, 1);
});
afterEach(() => rmSync(dir, { recursive: true }));

function writer(
  rest: Partial<WriterOptions> = {},
  limits: Partial<WriterOptions["limits"]> = {},
): RecordingWriter {
  return new RecordingWriter({
    dir,
    header: {
      host: "h-1",
      program: "test",
      settings: settingsSchema.parse({ beta: 2 }),
      settingsFrom: "test",
    },
    limits: {
      blockMsMax: 10_000,
      fileBytesMax: MIB,
      fileAgeMsMax: 3_600_000,
      totalBytesMax: 4 * MIB,
      ...limits,
    },
    sync: "close",
    now: () => nowMs,
    ...rest,
  });
}

function sample(n: number, name = "web"): Sample {
  const vcpus = [{ index: 0, run: n / 1e6, delay: 0 }];
  const uuid = "00000000-0000-4000-8000-000000000001";
  return {
    schema: 1,
    host: "h-1",
    bootId: "0b5a7a0e-0001-4000-8000-000000000001",
    sequence: n * 1_000_000,
    wallTimeMs: 1_800_000_000_000 + n * 1000,
    periodMs: 1000,
    cpus: [0, 1],
    hostRun: 0.1,
    guests: [
      { uuid, name, pid: 7, startTime: 8, state: "running", declared: { class: "auto" }, vcpus, otherRun: 0 },
    ],
    unreadable: [],
  };
}

const host: Host = {
  schema: 1,
  host: "h-1",
  name: "one",
  bootId: "0b5a7a0e-0001-4000-8000-000000000001",
  wallTimeMs: 1,
  kernel: "6.18",
  cgroupVersion: 1,
  topology: [{ cpu: 0, package: 0, node: 0, llc: 0, core: 0, isolated: false }],
  capabilities: [],
  metrics: {},
};

/** Samples of a file, by their number, and what could not be read. */
function read(file: string): { samples: number[]; hosts: number; problems: RecordingProblem[] } {
  const result = { samples: [] as number[], hosts: 0, problems: [] as RecordingProblem[] };
  for (const item of readRecording(file, (problem) => result.problems.push(problem))) {
    if (item.kind === "sample") result.samples.push(item.sample.sequence / 1_000_000);
    if (item.kind === "host") result.hosts += 1;
  }
  return result;
}

const only = (): string => {
  const [file, ...more] = recordingsIn(dir);
  if (file === undefined || more.length > 0) throw new Error(`${more.length + 1} files`);
  return file;
};

/** One block a sample, and the end of each block in the file. */
function blocks(count: number): { file: string; ends: number[] } {
  const recorder = writer();
  const ends: number[] = [];
  for (let n = 1; n <= count; n++) {
    recorder.addSample(sample(n));
    recorder.flush();
    ends.push(statSync(only()).size);
  }
  recorder.close();
  return { file: only(), ends };
}

describe("a recording", () => {
  it("gives back what was put in, byte for byte, with header, topology and settings", () => {
    const recorder = writer();
    recorder.addHost(host);
    const samples = [sample(1), sample(2, 'a:b,"\n\u001b[31m'), sample(3)];
    for (const each of samples) recorder.addSample(each);
    recorder.close();
    const items = [...readRecording(only(), (problem) => expect(problem).toBeUndefined())];
    expect(items[0]).toMatchObject({
      kind: "header",
      header: { format: 1, host: "h-1", startedAtMs: nowMs, settings: { beta: 2, alpha: 0.7 } },
    });
    expect(items.slice(1)).toEqual([
      { kind: "host", host },
      ...samples.map((each) => ({ kind: "sample", sample: each })),
    ]);
  });

  it("keeps a sample that comes again once, and a heartbeat that says nothing new not at all", () => {
    const recorder = writer();
    for (const n of [1, 2, 2, 1, 3]) recorder.addSample(sample(n));
    for (const wallTimeMs of [1, 2, 3]) recorder.addHost({ ...host, wallTimeMs });
    recorder.close();
    expect(read(only())).toEqual({ samples: [1, 2, 3], hosts: 1, problems: [] });
    expect(recorder.counts).toMatchObject({ samples: 3, repeated: 2 });
  });

  it("is written at least every block's time", () => {
    const recorder = writer();
    recorder.addSample(sample(1));
    nowMs += 9999;
    recorder.tick();
    expect(recordingsIn(dir)).toEqual([]);
    nowMs += 1;
    recorder.tick();
    expect(read(only()).samples).toEqual([1]);
    recorder.close();
  });
});

describe("what a killed recorder leaves", () => {
  it("is readable up to the last whole block, wherever the file ends", () => {
    const { file, ends } = blocks(4);
    const bytes = readFileSync(file);
    const headEnd = (ends[0] ?? 0) - encodedLength(1);
    for (let size = headEnd; size < bytes.length; size++) {
      const torn = path.join(dir, "torn");
      writeFileSync(torn, bytes.subarray(0, size));
      const whole = ends.filter((end) => end <= size).length;
      const { samples, problems } = read(torn);
      expect(samples).toEqual([1, 2, 3, 4].slice(0, whole));
      expect(problems.at(-1)).toMatchObject({ kind: "torn" });
      const lastWhole = [headEnd, ...ends].findLast((end) => end <= size) ?? 0;
      expect(problems[0]).toMatchObject({ offset: lastWhole, bytes: size - lastWhole });
    }
    expect(read(file)).toMatchObject({ samples: [1, 2, 3, 4], problems: [] });
  });

  const encodedLength = (n: number): number => encodeFrame("B", JSON.stringify({ sample: sample(n) })).length;

  it("is not appended to: another recorder begins a file of its own", () => {
    const killed = writer();
    killed.addSample(sample(1));
    killed.flush();
    nowMs += 5;
    const next = writer();
    next.addSample(sample(2));
    next.close();
    expect(recordingsIn(dir).map((file) => read(file).samples)).toEqual([[1], [2]]);
  });
});

describe("damage in the middle", () => {
  it.each([
    ["a flipped bit", (bytes: Buffer, at: number) => (bytes[at] = (bytes[at] ?? 0) ^ 4)],
    ["a length that is far too large", (bytes: Buffer, at: number) => bytes.writeUInt32LE(0xff_ff_ff_ff, at)],
  ])("costs only what it hit, and is told: %s", (_, harm) => {
    const { file, ends } = blocks(4);
    const bytes = readFileSync(file);
    const from = ends[0] ?? 0;
    harm(bytes, from + 8);
    writeFileSync(file, bytes);
    const { samples, problems } = read(file);
    expect(samples).toEqual([1, 3, 4]);
    expect(problems).toEqual([
      expect.objectContaining({ kind: "damaged", offset: from, bytes: (ends[1] ?? 0) - from }),
    ]);
  });

  it("of one record costs that record", () => {
    const { file, ends } = blocks(2);
    const bytes = readFileSync(file);
    const lines = [{ sample: { ...sample(8), cpus: [1, 0] } }, { sample: sample(9) }, { later: 1 }];
    const block = encodeFrame("B", lines.map((line) => JSON.stringify(line)).join("\n"));
    writeFileSync(file, Buffer.concat([bytes.subarray(0, ends[1]), block, bytes.subarray(ends[1])]));
    const { samples, problems } = read(file);
    expect(samples).toEqual([1, 2, 9]);
    expect(problems).toEqual([
      expect.objectContaining({ kind: "record", text: expect.stringMatching(/cpus: must ascend/) }),
    ]);
  });
});

describe("a file that is not ours", () => {
  it.each([
    ["nothing", "", /is not a recording/],
    ["some text", "Alas, poor Yorick! I knew him", /is not a recording/],
    ["a later version", "KVMGREC2 and more", /is of format 2, this version reads 1/],
    ["no header", "KVMGREC1", /its header cannot be read/],
  ])("is refused by name: %s", (_, text, message) => {
    const file = path.join(dir, "other");
    writeFileSync(file, text);
    expect(() => read(file)).toThrow(RecordingError);
    expect(() => read(file)).toThrow(message);
    expect(() => read(file)).toThrow(file);
  });

  it("is refused where there is none", () => {
    expect(() => read(path.join(dir, "none"))).toThrow(/none: ENOENT/);
  });
});

describe("limits", () => {
  /** Names that do not compress: a block of one such sample is about 700 KiB. */
  const large = (n: number): Sample => {
    const [guest] = sample(n).guests;
    if (guest === undefined) throw new Error("no guest");
    const names = Array.from({ length: 1000 }, (_, at) => {
      const random = Array.from({ length: 100 }, (_2, i) =>
        ((n * 7919 + at * 104_729 + i * i * 31) % 9973).toString(36),
      );
      return { ...guest, name: random.join("") };
    });
    return { ...sample(n), guests: names };
  };

  it("begin a new file by size, by age, and keep all of them within the bound, the newest first", () => {
    const recorder = writer({}, { fileBytesMax: 50_000, totalBytesMax: 1_400_000 });
    let most = 0;
    for (let n = 1; n <= 40; n++) {
      recorder.addHost(host);
      recorder.addSample(large(n));
      recorder.flush();
      nowMs += 1000;
      most = Math.max(
        most,
        recordingsIn(dir).reduce((sum, file) => sum + statSync(file).size, 0),
      );
    }
    recorder.close();
    expect(most).toBeLessThanOrEqual(1_400_000);
    const files = recordingsIn(dir);
    const samples = files.flatMap((file) => read(file).samples);
    expect(samples.at(-1)).toBe(40);
    expect(samples).toEqual(Array.from({ length: samples.length }, (_, i) => 41 - samples.length + i));
    expect(recorder.counts.removed).toBeGreaterThan(0);
    expect(recorder.counts.files - recorder.counts.removed).toBe(files.length);
    // Each can be read by itself.
    for (const file of files) expect(read(file)).toMatchObject({ hosts: 1, problems: [] });
  });

  it("begin a new file by age", () => {
    const recorder = writer({}, { fileAgeMsMax: 5000 });
    for (let n = 1; n <= 3; n++) {
      recorder.addSample(sample(n));
      recorder.flush();
      nowMs += 2500;
    }
    recorder.close();
    expect(recordingsIn(dir).map((file) => read(file).samples)).toEqual([[1, 2], [3]]);
  });

  it("leave the files of other hosts alone", () => {
    const other = path.join(dir, `h-20200101T000000000Z.kvmrec`);
    writeFileSync(other, Buffer.alloc(3 * MIB));
    const recorder = writer({}, { fileBytesMax: 1000, totalBytesMax: 2000 });
    for (let n = 1; n <= 5; n++) {
      recorder.addSample(sample(n));
      recorder.flush();
      nowMs += 1;
    }
    recorder.close();
    expect(statSync(other).size).toBe(3 * MIB);
  });

  it("must let two files be", () => {
    expect(() => writer({}, { fileBytesMax: 3 * MIB })).toThrow(/less than two files/);
  });
});

describe("a disk that is full", () => {
  it("costs the block, is told, and the next block is in a file of its own", () => {
    let isFull = false;
    const write = (fd: number, bytes: Buffer): void => {
      if (!isFull) return void writeSync(fd, bytes);
      writeSync(fd, bytes, 0, Math.floor(bytes.length / 2));
      throw new Error("ENOSPC: no space left on device");
    };
    const recorder = writer({ write });
    recorder.addSample(sample(1));
    recorder.flush();
    isFull = true;
    recorder.addSample(sample(2));
    expect(() => recorder.flush()).toThrow(RecordingWriteError);
    nowMs += 1;
    recorder.addSample(sample(3));
    expect(() => recorder.flush()).toThrow(/ENOSPC.*1 samples are lost/);
    isFull = false;
    nowMs += 1;
    recorder.addSample(sample(4));
    recorder.close();
    const files = recordingsIn(dir).map(read);
    expect(files.map(({ samples }) => samples)).toEqual([[1], [4]]);
    expect(files[0]?.problems).toEqual([expect.objectContaining({ kind: "torn", bytes: 0 })]);
    expect(recorder.counts.samples).toBe(2);
  });

  it("never shows a file that has no header yet", () => {
    const seen: string[][] = [];
    const recorder = writer({
      write: (fd, bytes) => {
        seen.push(recordingsIn(dir));
        writeSync(fd, bytes);
      },
    });
    recorder.addHost(host);
    recorder.addSample(sample(1));
    recorder.close();
    // The header and the topology are written before the file has its name.
    expect(seen.map((files) => files.length)).toEqual([0, 0, 1, 1]);
    expect(readdirSync(dir)).toEqual([path.basename(only())]);
  });

  it("leaves no open files behind", () => {
    const before = openSync("/dev/null", "r");
    closeSync(before);
    const recorder = writer({
      write: () => {
        throw new Error("EIO");
      },
    });
    for (let n = 1; n <= 20; n++) {
      recorder.addSample(sample(n));
      expect(() => recorder.flush()).toThrow(/EIO/);
    }
    const after = openSync("/dev/null", "r");
    closeSync(after);
    expect(after).toBe(before);
    expect(recordingsIn(dir)).toEqual([]);
  });
});
