import type { PastDecision } from "@kvm-governor/policy";
import { describe, expect, it } from "@jest/globals";
import { NO_HISTORY, TestSource, guest, uuidOf } from "../testing/source.ts";
import { guestModel } from "./guest.ts";
import { ONLY } from "./model.ts";

const settings = { beta: 1 };

function busy(): TestSource {
  const source = new TestSource(settings);
  for (let i = 0; i < 3; i++) source.tick("h1", [guest(1, 0.4, { delay: 0.6, count: 2, name: "solver" })]);
  source.applied("h1");
  return source;
}

const facts = (source: TestSource, uuid = uuidOf(1)) => guestModel("h1", uuid, source)["guest"]?.[ONLY];

describe("guestModel", () => {
  it("says in words what was seen and how the guest is held", () => {
    expect(facts(busy())).toMatchObject({
      known: true,
      name: "solver",
      class: "scientific",
      how: "inferred",
      seen: "It ran 40% of its vCPUs' time, waited 60% and wanted 100%. That does not count towards LIST_se: the crossing count is 0.",
      held: expect.stringMatching(/^bandwidth no limit; CPUs /),
      applied: "In force: read back from the kernel.",
      alpha: 0.7,
      beta: 1,
    });
  });

  it("keeps the reason of the move when the plan that told it is gone", () => {
    const source = busy();
    const text = "LIST_se to LIST_sc: used 0.40 …";
    const decision: PastDecision = {
      atMs: source.nowMs,
      generation: 2,
      kind: "moved",
      class: "scientific",
      movedFrom: "service",
      usage: 0.4,
      delay: 0.6,
      demand: 1,
      reasons: [{ code: "moved-to-scientific", text }],
      held: { vcpus: [], weight: "idle", emulatorCpus: "baseline", ioThreadCpus: "baseline" },
    };
    source.histories.set(uuidOf(1), { ...NO_HISTORY, decisions: [decision] });
    expect(facts(source)).toMatchObject({ why: text });
    const [row] = Object.values(guestModel("h1", uuidOf(1), source)["decisions"] ?? {});
    expect(row).toMatchObject({
      title: "moved from LIST_se to LIST_sc",
      seen: "ran 40%, waited 60%, wanted 100% of its vCPUs",
      reasons: [text],
    });
  });

  it("tells writes, failures, drift and what a dry run would write", () => {
    const source = busy();
    const write = { target: "guest", setting: "idle", file: "x/cpu.idle", old: "0", wanted: "1" } as const;
    const at = { atMs: 1, generation: 1 };
    source.histories.set(uuidOf(1), {
      ...NO_HISTORY,
      writes: [
        { ...write, ...at, readBack: "1", times: 1 },
        { ...write, ...at, error: "EACCES\n", times: 3 },
      ],
      drift: [{ atMs: 2, target: "guest", setting: "idle", file: "x/cpu.idle", applied: "1", found: "" }],
      wouldWrite: [write],
    });
    const rows = Object.values(guestModel("h1", uuidOf(1), source)["writes"] ?? {});
    expect(rows.map(({ kind, text }) => [kind, text])).toEqual([
      ["written", "0 → 1"],
      ["failed", "0 → 1 (failed: EACCES\\n, 3 times)"],
      ["drift", 'was 1, somebody else wrote ""'],
      ["would", "0 → 1"],
    ]);
  });

  it("says that a guest stays because it cools down, and which thresholds hold", () => {
    const source = busy();
    for (const run of [0.1, 0.1, 1, 1]) source.tick("h1", [guest(1, run, { count: 2 })]);
    expect(facts(source)).toMatchObject({
      class: "service",
      alphaDown: 0.4,
      seen: expect.stringMatching(
        /counts towards LIST_sc.*It would move, but its count moved it less than coolDownMs ago\.$/,
      ),
    });
  });

  it("has a row a vCPU, with what is not known left open", () => {
    const source = new TestSource(settings);
    const vcpus = [
      { index: 0, run: 0.5, delay: 0.123_456, switches: 7, involuntaryPart: 0.25 },
      { index: 1, run: 0, delay: 0 },
    ];
    source.tick("h1", [guest(1, 0, { vcpus })], { periodMs: 500 });
    expect(guestModel("h1", uuidOf(1), source)["vcpus"]).toMatchObject({
      0: { run: 0.5, delay: 0.12, switches: 14, involuntaryPart: 0.25, throttled: null },
      1: { switches: null, involuntaryPart: null },
    });
  });

  it("has its course point by point, by time", () => {
    const source = busy();
    source.courses.set(uuidOf(1), { fine: [[5000, 1, null]], coarse: [], isFollowed: true });
    expect(guestModel("h1", uuidOf(1), source)).toMatchObject({
      fine: { 5000: { v: [5000, 1, null] } },
      coarse: {},
    });
  });

  it("says that it does not know a guest, and follows none for it", () => {
    const source = busy();
    source.series = () => {
      throw new Error("a stranger's course was asked for");
    };
    expect(facts(source, uuidOf(9))).toMatchObject({ known: false, name: uuidOf(9), class: "" });
  });
});
