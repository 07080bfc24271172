import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "@jest/globals";
import { settingsSchema } from "@kvm-governor/policy";
import type { GuestSample, Sample } from "@kvm-governor/policy";
import { RecordingWriter } from "../recording/writer.ts";
import { replayAll } from "./replay.ts";
import type { ReplayFlags } from "./replay.ts";

const BEGIN_MS = Date.UTC(2026, 0, 5);
const BETA = 5;
const [WEB, SIM] = ["00000000-0000-4000-8000-000000000001", "00000000-0000-4000-8000-000000000002"];

let dir: string;

function guest(uuid: string, name: string, run: number, rest: Partial<GuestSample> = {}): GuestSample {
  const vcpus = [0, 1].map((index) => ({ index, run, delay: 0 }));
  const declared = { class: "auto" } as const;
  return { uuid, name, pid: 7, startTime: 8, state: "running", declared, vcpus, otherRun: 0, ...rest };
}

/** A sample every 10 s: `web` idles; `sim` works from minute 10 to 110 with a pause of 3 minutes at minute 80. */
function sample(n: number): Sample {
  const minute = (n - 1) / 6;
  const works = minute >= 10 && minute < 110 && !(minute >= 80 && minute < 83);
  return {
    schema: 1,
    host: "h1",
    bootId: "0b5a7a0e-0001-4000-8000-000000000001",
    sequence: n * 10_000_000,
    wallTimeMs: BEGIN_MS + n * 10_000,
    periodMs: 10_000,
    cpus: [0, 1, 2, 3],
    hostRun: 0,
    guests: [guest(WEB, "web\u001b[31m", 0.05), guest(SIM, "sim", works ? 0.95 : 0.02)],
    unreadable: [],
  };
}

/** Two files, the second begun at minute 60; two minutes from minute 120 on are missing. */
beforeAll(() => {
  dir = mkdtempSync(path.join(tmpdir(), "kvmgov-replay-"));
  let nowMs = BEGIN_MS;
  const writer = new RecordingWriter({
    dir: path.join(dir, "rec"),
    header: {
      host: "h1",
      program: "test",
      settings: settingsSchema.parse({ beta: BETA }),
      settingsFrom: "test",
    },
    limits: { blockMsMax: 60_000, fileBytesMax: 1e7, fileAgeMsMax: 3_600_000, totalBytesMax: 1e8 },
    sync: "close",
    now: () => nowMs,
  });
  for (let n = 1; n <= 180 * 6; n++) {
    nowMs = BEGIN_MS + n * 10_000;
    if (n >= 120 * 6 && n < 122 * 6) continue;
    writer.addSample(sample(n));
  }
  writer.close();
  writeFileSync(path.join(dir, "flapping.yaml"), "alphaDown: 0.7\ncoolDownMs: 0\nbeta: 0\n");
  writeFileSync(path.join(dir, "rules.yaml"), "rules: [{ match: { name: sim }, class: service }]\n");
});
afterAll(() => rmSync(dir, { recursive: true }));

function run(flags: ReplayFlags, ...paths: string[]): { code: number; lines: string[] } {
  const lines: string[] = [];
  const code = replayAll(paths.length === 0 ? [path.join(dir, "rec")] : paths, flags, (line) =>
    lines.push(line),
  );
  return { code, lines };
}

interface Told {
  event: string;
  [key: string]: unknown;
}
const json = (flags: ReplayFlags): Told[] =>
  run({ ...flags, json: true }).lines.map((line) => JSON.parse(line) as Told);
const summaries = (flags: ReplayFlags): Told[] => json(flags).filter(({ event }) => event === "summary");
const at = (minute: number, seconds = 0): number => BEGIN_MS + minute * 60_000 + seconds * 1000;
const guestsOf = (told: Told | undefined, key: string): Record<string, unknown>[] =>
  (told?.[key] ?? []) as Record<string, unknown>[];
const figuresOf = (told: Told | undefined, uuid: string): Record<string, unknown> => {
  const found = guestsOf(told, "guestFigures").find((each) => each["uuid"] === uuid);
  if (found === undefined) throw new Error(`no figures of ${uuid}`);
  return found;
};

describe("kvmgov replay", () => {
  it("tells moves with their time and reason, and lists, over several files", () => {
    const moves = json({}).filter(({ event }) => event === "moved");
    // Six samples of work; the cool-down is over when the work ends, and the pause is too short for it.
    expect(moves).toEqual([
      expect.objectContaining({
        uuid: SIM,
        atMs: at(11),
        class: "scientific",
        service: 1,
        scientific: 1,
      }),
      expect.objectContaining({ uuid: SIM, atMs: at(81), class: "service", service: 2, scientific: 0 }),
    ]);
    expect(moves[0]?.["reason"]).toMatch(/at or above alpha 0.7, and crossed it more than beta 5 times/);
  });

  it("sums what became of each guest", () => {
    const [summary] = summaries({});
    const sim = figuresOf(summary, SIM);
    expect(sim).toMatchObject({ moves: 2, flaps: 0, unexcusedMoves: 0, vcpus: 2, missed: 0 });
    expect(sim["scientificSeconds"]).toBe(70 * 60);
    expect(sim["serviceSeconds"]).toBe(180 * 60 - 120 - 70 * 60);
    // The pause is no spell: half an hour of work before it, found after 60 s from minute 10 on.
    expect(sim["detectionMedianSeconds"]).toBe(60);
    expect(figuresOf(summary, WEB)).toMatchObject({ moves: 0, scientificSeconds: 0, mayHaveCores: 2 });
    expect(summary?.["figures"]).toMatchObject({ samples: 180 * 6 - 12, gaps: 1, gapMs: 120_000, cpus: 4 });
  });

  it("decides under another policy, which flaps, and is caught", () => {
    const policy = path.join(dir, "flapping.yaml");
    const [recorded, other] = summaries({ compare: policy });
    expect(recorded).toMatchObject({ policy: "as recorded", moves: 2, flaps: 0, unexcusedMoves: 0 });
    expect(other).toMatchObject({ policy, moves: 4, flaps: 2, unexcusedMoves: 1 });
    const comparison = json({ compare: policy }).at(-1);
    expect(comparison).toMatchObject({
      event: "comparison",
      differences: [expect.objectContaining({ uuid: SIM })],
    });
  });

  it("decides with other declarations", () => {
    const [summary] = summaries({ policy: path.join(dir, "rules.yaml") });
    expect(summary).toMatchObject({ moves: 0, scientificSeconds: 0 });
  });

  it("decides as recorded under the other preset", () => {
    const [summary] = summaries({ preset: "paper" });
    expect(summary).toMatchObject({ preset: "paper", beta: BETA, moves: 4, flaps: 2 });
  });

  it("tells a part of the time, with lists as they were by then", () => {
    const told = json({ from: "2026-01-05T00:30", to: "1h" });
    expect(told.filter(({ event }) => event !== "summary")).toEqual([]);
    const [summary] = told;
    expect(summary?.["figures"]).toMatchObject({ fromMs: at(30), toMs: at(60), samples: 181 });
    expect(figuresOf(summary, SIM)).toMatchObject({ serviceSeconds: 0, scientificSeconds: 1810 });
  });

  it("prints the same bytes for the same input, whatever the zone", () => {
    const flags = { plans: true, compare: path.join(dir, "flapping.yaml") };
    const zone = process.env["TZ"];
    const once = run(flags);
    process.env["TZ"] = "Asia/Seoul";
    try {
      expect(run(flags)).toEqual(once);
      expect(run({ ...flags, json: true })).toEqual(run({ ...flags, json: true }));
    } finally {
      if (zone === undefined) delete process.env["TZ"];
      else process.env["TZ"] = zone;
    }
  });

  it("says in words what came of it, and what it cannot know", () => {
    const { code, lines } = run({});
    const text = lines.join("\n");
    expect(code).toBe(0);
    expect(text).toContain(
      "2026-01-05 00:11:00Z [LIST_se 1, LIST_sc 1] sim moved: LIST_se to LIST_sc: used 0.95",
    );
    expect(text).toContain("1 gap, 2 min in all, without samples");
    expect(text).toMatch(/sim +108 min +70 min +2 +0 +0 +4 +60 s \(1 of 1\)/);
    expect(text).toContain("What a replay cannot know");
    // A tenant's name must not reach the terminal as it is.
    expect(text).not.toContain("\u001b");
    expect(run({ quiet: true }).lines.filter((line) => line.includes(" moved: "))).toEqual([]);
  });

  it("tells plans with what each guest would have been given", () => {
    const plans = json({ plans: true }).filter(({ event }) => event === "plan");
    expect(plans.map(({ generation }) => generation)).toEqual([1, 2, 3]);
    const held = guestsOf(plans[1], "guests").find((each) => each["uuid"] === SIM);
    expect(held).toMatchObject({ weight: "idle", vcpus: [{ cpus: [2] }, { cpus: [3] }] });
  });
});

describe("what cannot be replayed", () => {
  it.each([
    ["no such file", {}, /nothing-here: ENOENT/, "nothing-here"],
    ["a bad time", { from: "soon" }, /--from "soon": neither a date nor a length/, undefined],
    ["a bad policy", { policy: "bad.yaml" }, /bad.yaml:1: alfa/, undefined],
  ])("is named: %s", (_, flags, message, file) => {
    writeFileSync(path.join(dir, "bad.yaml"), "alfa: 1\n");
    const inDir = { ...flags, ...("policy" in flags ? { policy: path.join(dir, "bad.yaml") } : {}) };
    const paths = file === undefined ? [] : [path.join(dir, file)];
    expect(() => run(inDir, ...paths)).toThrow(message);
  });

  it("a torn tail is said and no failure, damage is said and one", () => {
    const rec = path.join(dir, "one");
    const writer = new RecordingWriter({
      dir: rec,
      header: { host: "h1", program: "test", settings: settingsSchema.parse({}), settingsFrom: "test" },
      limits: { blockMsMax: 1, fileBytesMax: 1e7, fileAgeMsMax: 1e9, totalBytesMax: 1e8 },
      sync: "close",
      now: () => BEGIN_MS,
    });
    writer.addSample(sample(1));
    writer.flush();
    const file = path.join(rec, "h1-20260105T000000000Z.kvmrec");
    expect(run({}, file)).toMatchObject({ code: 0 });
    expect(run({}, file).lines.join("\n")).toMatch(/torn: .*has no end/);
    const damagedAt = statSync(file).size + 30;
    for (const n of [2, 3]) {
      writer.addSample(sample(n));
      writer.flush();
    }
    writer.close();
    const bytes = readFileSync(file);
    bytes[damagedAt] = (bytes[damagedAt] ?? 0) ^ 1;
    writeFileSync(file, bytes);
    const { code, lines } = run({}, file);
    expect(code).toBe(1);
    expect(lines.join("\n")).toMatch(/2 samples of 4 CPUs[\s\S]*damaged: .* bytes at \d+ are damaged/);
  });
});
