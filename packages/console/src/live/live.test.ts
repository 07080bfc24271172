import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Cell, Model, Patch } from "../model/model.ts";
import { diff } from "./diff.ts";
import { FrameReader } from "./frames.ts";
import type { Frame } from "./frames.ts";
import { Hub } from "./hub.ts";
import { BEAT_MS, CUT_AFTER_MS, PIECE_BYTES, Reader } from "./reader.ts";
import type { Connection } from "./reader.ts";
import { LOG_BYTES_MAX, Topic } from "./topic.ts";

type Rows = Record<string, Record<string, Record<string, Cell>>>;

/** As the browser does it. */
function follow(before: Model, patch: Patch | undefined): Model {
  const model = structuredClone(before) as Rows;
  for (const [name, rows] of Object.entries(patch?.set ?? {}))
    for (const [key, cells] of Object.entries(rows)) {
      const section = (model[name] ??= {});
      section[key] = { ...section[key], ...cells };
    }
  for (const [name, keys] of Object.entries(patch?.gone ?? {}))
    for (const key of keys) delete model[name]?.[key];
  return model;
}

const cell = fc.oneof(
  fc.integer({ max: 3 }),
  fc.constantFrom("a", "b"),
  fc.constant(null),
  fc.array(fc.nat(2)),
);
/** Rows always have the same cells; keys come and go, some with names of object members. */
const model: fc.Arbitrary<Model> = fc.record({
  one: fc.dictionary(
    fc.constantFrom("k1", "k2", "constructor", "toString"),
    fc.record({ x: cell, y: cell }),
    { noNullPrototype: true },
  ),
  two: fc.dictionary(fc.constantFrom("k1", "k3"), fc.record({ z: cell }), { noNullPrototype: true }),
});

const framesOf = (text: string): Frame[] => new FrameReader().read(text);

class FakeConnection implements Connection {
  writableLength = 0;
  isCut = false;
  readonly #sent: Uint8Array[] = [];
  /** Bytes stay where they are. */
  isStuck = false;
  write(bytes: Uint8Array): void {
    this.#sent.push(bytes);
    if (this.isStuck) this.writableLength += bytes.length;
  }
  get sent(): string {
    return Buffer.concat(this.#sent).toString();
  }
  destroy(): void {
    this.isCut = true;
  }
  events(): string[] {
    return framesOf(this.sent).map(({ event }) => event);
  }
}

describe("diff", () => {
  it("is what makes one model into the other, and nothing where they are alike", () => {
    fc.assert(
      fc.property(model, model, (before, after) => {
        const patch = diff(before, after);
        expect(follow(before, patch)).toEqual(after);
        expect(diff(after, structuredClone(after))).toBeUndefined();
      }),
    );
  });

  it("sends the cells that changed, no others", () => {
    const before = { t: { a: { x: 1, y: 1 }, b: { x: 1, y: 1 } } };
    expect(diff(before, { t: { a: { x: 1, y: 2 }, b: { x: 1, y: 1 } } })).toEqual({
      set: { t: { a: { y: 2 } } },
      gone: {},
    });
  });
});

describe("FrameReader", () => {
  it("reads frames that are cut anywhere", () => {
    const text = 'id: e/1\nevent: full\ndata: {"a":": \\n"}\n\nevent: beat\ndata: {}\n\n';
    const whole = framesOf(text);
    expect(whole).toEqual([
      { id: "e/1", event: "full", data: '{"a":": \\n"}' },
      { id: undefined, event: "beat", data: "{}" },
    ]);
    for (let cut = 0; cut <= text.length; cut++) {
      const reader = new FrameReader();
      expect([...reader.read(text.slice(0, cut)), ...reader.read(text.slice(cut))]).toEqual(whole);
    }
  });
});

describe("Topic", () => {
  const at = (n: number): Model => ({ t: { a: { n } } });

  it("gives a newcomer the whole model, and who was away what was missed", () => {
    const topic = new Topic(() => 7, "e");
    for (const n of [1, 2, 3]) topic.update(at(n));
    expect(framesOf(topic.since(0))).toMatchObject([{ id: "e/3", event: "full" }]);
    expect(framesOf(topic.since(1)).map(({ id, data }) => [id, data])).toEqual([
      ["e/2", '{"now":7,"set":{"t":{"a":{"n":2}}},"gone":{}}'],
      ["e/3", '{"now":7,"set":{"t":{"a":{"n":3}}},"gone":{}}'],
    ]);
    expect(topic.since(3)).toBe("");
  });

  it("knows its own versions only", () => {
    const topic = new Topic(() => 0, "e");
    topic.update(at(1));
    expect(["e/1", "e/2", "e/x", "other/1", "", undefined].map((id) => topic.versionOf(id))).toEqual([
      1, 0, 0, 0, 0, 0,
    ]);
  });

  it("keeps changes up to a number of bytes; who missed more gets the whole", () => {
    const topic = new Topic(() => 0, "e");
    for (let n = 0; n < 40; n++)
      topic.update({ t: { a: { text: String(n).padStart(LOG_BYTES_MAX / 20, "x") } } });
    expect(topic.logBytes).toBeLessThanOrEqual(LOG_BYTES_MAX);
    expect(framesOf(topic.since(39))).toMatchObject([{ event: "patch" }]);
    expect(framesOf(topic.since(1))).toMatchObject([{ event: "full" }]);
    // The reader that has all but what is kept needs no more than that.
    const events = Array.from({ length: 40 }, (_, version) => framesOf(topic.since(version + 1)));
    const kept = events.filter((frames) => frames.every(({ event }) => event === "patch"));
    expect(kept[0]?.length).toBe(Math.floor(topic.logBytes / (kept[0]?.[0]?.data.length ?? 1)));
  });

  it("says an empty model too", () => {
    const topic = new Topic(() => 0, "e");
    expect([topic.update({}), topic.update({})]).toEqual([true, false]);
    expect(framesOf(topic.since(0))).toMatchObject([{ event: "full" }]);
  });
});

describe("Reader", () => {
  function reading() {
    const topic = new Topic(() => 0, "e");
    const connection = new FakeConnection();
    topic.update({ t: { a: { n: 0 } } });
    return { topic, connection, reader: new Reader(connection, topic, undefined, 0) };
  }

  it("gets nothing more while it takes nothing, then all that it missed, and is cut off after a while", () => {
    const { topic, connection, reader } = reading();
    connection.isStuck = true;
    reader.pump(0);
    const untaken = connection.writableLength;
    for (let n = 1; n < 5; n++) {
      topic.update({ t: { a: { n } } });
      expect(reader.pump(n * 1000)).toBe(true);
    }
    expect(connection.writableLength).toBe(untaken);
    connection.writableLength = 0;
    connection.isStuck = false;
    expect(reader.pump(4500)).toBe(true);
    expect(connection.events()).toEqual(["full", "patch", "patch", "patch", "patch"]);
    connection.writableLength = 1;
    expect([reader.pump(5000), reader.pump(4999 + CUT_AFTER_MS)]).toEqual([true, true]);
    expect(connection.isCut).toBe(false);
    expect(reader.pump(5000 + CUT_AFTER_MS)).toBe(false);
    expect(connection.isCut).toBe(true);
  });

  it("is not cut off while it takes a little, and gets text whole that goes out in pieces", () => {
    const { topic, connection, reader } = reading();
    const text = "a😀".repeat(PIECE_BYTES);
    topic.update({ t: { a: { text } } });
    connection.isStuck = true;
    reader.pump(0);
    const [frame] = framesOf(connection.sent);
    expect(frame?.data).toContain(text);
    for (let ms = 0; ms < 10 * CUT_AFTER_MS; ms += CUT_AFTER_MS - 1) {
      connection.writableLength -= 100;
      expect(reader.pump(ms)).toBe(true);
    }
    expect(connection.isCut).toBe(false);
  });

  it("hears a beat when nothing changes", () => {
    const { connection, reader } = reading();
    for (const ms of [0, 1000, BEAT_MS - 1, BEAT_MS, BEAT_MS + 1000]) reader.pump(ms);
    expect(connection.events()).toEqual(["full", "beat"]);
  });
});

describe("Hub", () => {
  function running(streamsMax = 3) {
    const clock = { ms: 0 };
    const errors: unknown[] = [];
    const hub = new Hub({ now: () => clock.ms, streamsMax, onError: (_name, error) => errors.push(error) });
    return { clock, errors, hub };
  }

  it("makes a model once for all that look at it, and none when nobody does", () => {
    const { clock, hub } = running();
    let made = 0;
    const make = (): Model => ({ t: { a: { n: ++made } } });
    const [first, second] = [new FakeConnection(), new FakeConnection()];
    const endFirst = hub.open("x", make, first, undefined);
    const endSecond = hub.open("x", make, second, undefined);
    expect(made).toBe(1);
    hub.refresh();
    expect(made).toBe(2);
    expect([first.events(), second.events()]).toEqual([
      ["full", "patch"],
      ["full", "patch"],
    ]);
    endFirst();
    endSecond();
    endSecond();
    expect(hub.stats.streams).toBe(0);
    clock.ms = 30_000;
    hub.refresh();
    expect([made, hub.topics]).toEqual([2, 1]);
    clock.ms = 30_001;
    hub.refresh();
    expect(hub.topics).toBe(0);
  });

  it("gives who comes back what was missed", () => {
    const { hub } = running();
    let n = 0;
    const make = (): Model => ({ t: { a: { n } } });
    const before = new FakeConnection();
    const end = hub.open("x", make, before, undefined);
    end();
    n = 5;
    const after = new FakeConnection();
    const [{ id } = { id: undefined }] = framesOf(before.sent);
    hub.open("x", make, after, id);
    expect(framesOf(after.sent)).toMatchObject([{ event: "patch", data: expect.stringContaining('"n":5') }]);
    hub.close();
  });

  it("cuts off who takes nothing, and counts it", () => {
    const { clock, hub } = running();
    const connection = new FakeConnection();
    hub.open("x", () => ({}), connection, undefined);
    connection.writableLength = 10;
    hub.refresh();
    clock.ms = CUT_AFTER_MS;
    hub.refresh();
    expect([connection.isCut, hub.stats]).toEqual([true, { streams: 0, refused: 0, cutOff: 1 }]);
    hub.close();
  });

  it("goes on where a page cannot be made", () => {
    const { errors, hub } = running();
    const good = new FakeConnection();
    hub.open(
      "bad",
      () => {
        throw new Error("broken");
      },
      new FakeConnection(),
      undefined,
    );
    let n = 0;
    hub.open("good", () => ({ t: { a: { n: n++ } } }), good, undefined);
    hub.refresh();
    expect(errors).toHaveLength(2);
    expect(good.events()).toEqual(["full", "patch"]);
    hub.close();
  });

  it("forgets pages that nobody reads when there are many", () => {
    const { hub } = running(3);
    for (let i = 0; i < 100; i++) hub.open(`page ${i}`, () => ({}), new FakeConnection(), undefined)();
    expect(hub.topics).toBeLessThanOrEqual(6);
    hub.close();
  });
});
