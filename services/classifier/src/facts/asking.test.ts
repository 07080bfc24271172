import { gzipSync } from "node:zlib";
import { describe, expect, it } from "@jest/globals";
import { Room, TIMEOUT_MS } from "../testing/room.ts";
import { guestSample, hostOf, uuidOf } from "../testing/samples.ts";
import { WAITING_MAX } from "./answering.ts";
import { OPEN_MAX } from "./asking.ts";
import { LINES_A_PIECE, pack } from "./messages.ts";
import { wireFacts } from "./wire.ts";

const QUESTIONS = "kvmgov_facts_questions_total";
const ANSWERS = "kvmgov_facts_answers_total";
const web = guestSample(1, { run: 0.5, name: "web" });

/** @param timeoutMs long where all answer */
function roomOf(names: readonly string[], timeoutMs = TIMEOUT_MS.long) {
  const room = new Room();
  room.timeoutMs = timeoutMs;
  const members = names.map((name) => room.join(name));
  const [asker = room.join("asker"), ...others] = members;
  return { room, asker, others };
}

describe("a question", () => {
  it("ends when all that live have answered", async () => {
    const { asker, others } = roomOf(["a", "b", "c"]);
    for (const [n, other] of others.entries()) other.tick(`h${n}`, [web]);
    const { pieces, missing } = await asker.asking.ask("find", { guest: "web" });
    expect(missing).toEqual([]);
    expect(pieces.map(({ answer }) => answer.from).sort()).toEqual(["b", "c"]);
    expect(await asker.counted(QUESTIONS, { kind: "find", outcome: "complete" })).toBe(1);
  });

  it("is not asked where nobody else lives", async () => {
    const { room, asker } = roomOf(["a"]);
    expect(await asker.asking.ask("fleet", {})).toEqual({ pieces: [], missing: [] });
    expect(room.asked).toEqual([]);
  });

  it("ends after its time, and says who did not answer", async () => {
    const { asker, others } = roomOf(["a", "b", "old"], TIMEOUT_MS.short);
    const [, old] = others;
    if (old !== undefined) old.isDeaf = true;
    const { pieces, missing } = await asker.asking.ask("find", { guest: "web" });
    expect(pieces).toHaveLength(1);
    expect(missing).toEqual([`1 of 2 other classifiers (old) did not answer within ${TIMEOUT_MS.short} ms`]);
    expect(await asker.counted(QUESTIONS, { kind: "find", outcome: "incomplete" })).toBe(1);
  });

  it("ends when one has said enough, whoever is silent", async () => {
    const { asker, others } = roomOf(["a", "b", "old"]);
    const [owner, old] = others;
    if (old !== undefined) old.isDeaf = true;
    owner?.tick("h1", [web]);
    const answer = await asker.others.getHost("h1");
    expect(answer.value?.view.tick?.report.guests[0]?.name).toBe("web");
    expect(answer.missing).toEqual([]);
  });

  it("is not asked while NATS is away, nor when too many are open", async () => {
    const { room, asker } = roomOf(["a", "b"]);
    room.isAway = true;
    expect((await asker.asking.ask("fleet", {})).missing).toEqual([
      "NATS is away: other classifiers cannot be asked",
    ]);
    room.isAway = false;
    asker.questions.open = OPEN_MAX;
    expect((await asker.asking.ask("fleet", {})).missing).toEqual([
      `${OPEN_MAX} questions to other classifiers are open`,
    ]);
    expect(await asker.counted(QUESTIONS, { kind: "fleet", outcome: "not-asked" })).toBe(2);
  });

  it("is complete for nobody while it is not known who lives", async () => {
    const { room, asker } = roomOf(["a", "b"], TIMEOUT_MS.short);
    room.living = "unknown";
    expect((await asker.asking.ask("find", { guest: "web" })).missing).toEqual([
      "it is not known yet which other classifiers there are",
    ]);
  });

  it("counts what is not an answer, and uses the rest", async () => {
    const { room, asker, others } = roomOf(["a", "b"]);
    others[0]?.tick("h1", [web]);
    room.forged = [
      new TextEncoder().encode('{"stream":"KVMGOV_SAMPLE","seq":7}'),
      gzipSync('{"schema":9}'),
      gzipSync('{"schema":1,"from":"evil"}'),
    ];
    const { value, missing } = await asker.others.find("web");
    expect(value.guests).toEqual([{ host: "h1", uuid: uuidOf(1), name: "web", class: "service" }]);
    expect(missing).toEqual([]);
    for (const reason of ["not-gzip", "newer-version", "invalid"])
      expect(await asker.counted("kvmgov_facts_answers_refused_total", { reason })).toBe(1);
  });

  it("takes no answer on another host", async () => {
    const { room, asker, others } = roomOf(["a", "b"], TIMEOUT_MS.short);
    const [owner] = others;
    owner?.tick("h2", [web]);
    const facts = wireFacts(owner?.views.get("h2") ?? {});
    room.forged = [await pack({ from: "evil", nowMs: room.nowMs, host: "h2", facts })];
    expect((await asker.others.getHost("h1")).value).toBeUndefined();
  });
});

describe("an answer", () => {
  it("is given on the hosts of one's own work alone", async () => {
    const { asker, others } = roomOf(["a", "b"]);
    others[0]?.views.announced(hostOf("h1", [0]));
    expect(await asker.others.getHost("h1")).toEqual({ value: undefined, missing: [] });
    expect((await asker.others.getFleet()).value.size).toBe(0);
    others[0]?.tick("h1", [web]);
    others[0]?.views.forget(() => true);
    expect((await asker.others.getHost("h1")).value).toBeUndefined();
  });

  it("comes in pieces, each below what a message may hold", async () => {
    const { room, asker, others } = roomOf(["a", "b"]);
    const count = 2 * LINES_A_PIECE + 1;
    for (let n = 0; n < count; n++) others[0]?.tick(`h${n}`, [web]);
    room.bytesMax = 64 * 1024;
    const { pieces, missing } = await asker.asking.ask("fleet", {});
    expect(missing).toEqual([]);
    expect(pieces.map(({ answer }) => answer.lines.length).sort((x, y) => x - y)).toEqual([
      1,
      LINES_A_PIECE,
      LINES_A_PIECE,
    ]);
  });

  it("that is larger than a message is not sent, and that is said", async () => {
    const { room, asker, others } = roomOf(["a", "b"]);
    others[0]?.tick("h1", [web]);
    room.bytesMax = 400;
    const { value, missing } = await asker.others.getHost("h1");
    expect(value).toBeUndefined();
    expect(missing).toEqual(["classifier b: its answer is larger than a message of NATS may be (400 bytes)"]);
    expect(await others[0]?.counted(ANSWERS, { kind: "host", outcome: "too-large" })).toBe(1);
  });

  it("follows no guest for a stranger's UUID", async () => {
    const { asker, others } = roomOf(["a", "b"]);
    others[0]?.tick("h1", [web]);
    expect((await asker.others.getHost("h1", { guest: uuidOf(9) })).value?.series?.fine).toEqual([]);
    expect(others[0]?.series.size).toBe(1);
  });

  it("is not given to more questions than may wait, nor to what is no question", async () => {
    const { others } = roomOf(["a", "b"]);
    const [member] = others;
    const sent: Uint8Array[] = [];
    const question = {
      kind: "find",
      data: await pack({ guest: "web" }),
      bytesMax: 1024,
      answer: (piece: Uint8Array) => void sent.push(piece),
    };
    for (let n = 0; n < WAITING_MAX + 10; n++) member?.answering.asked(question);
    member?.answering.asked({ ...question, kind: "constructor" });
    // One is in work.
    await waitUntil(() => sent.length > WAITING_MAX);
    member?.answering.asked({ ...question, kind: "constructor" });
    member?.answering.asked({ ...question, data: new TextEncoder().encode('{"schema":1,"guest":"web"}') });
    member?.answering.asked(question);
    const before = sent.length;
    await waitUntil(() => sent.length > before);
    const counted = (labels: Record<string, string>) => member?.counted(ANSWERS, labels);
    expect(await counted({ kind: "find", outcome: "busy" })).toBeGreaterThanOrEqual(9);
    expect(await counted({ kind: "find", outcome: "refused" })).toBe(1);
    expect(await counted({ kind: "other", outcome: "refused" })).toBe(1);
  });
});

async function waitUntil(isDone: () => boolean): Promise<void> {
  for (let turn = 0; turn < 2000 && !isDone(); turn++) await new Promise((resolve) => setTimeout(resolve, 1));
  expect(isDone()).toBe(true);
}
