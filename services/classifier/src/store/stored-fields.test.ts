import { describe, expect, it } from "@jest/globals";
import { BOOT, uuidOf } from "../testing/samples.ts";
import { guestState, hostState } from "../testing/states.ts";
import { commitArguments, parseStored } from "./stored-fields.ts";
import { CorruptStateError, LaterStateError, afterCommit, emptyHost, stateChange } from "./store.ts";

const UUID = uuidOf(1);
const tick = { version: "3", bootId: BOOT, sequence: "7", wallTimeMs: "7", generation: "1" };

/** A host with one service, whose hash has this in the field of delays. */
function stored(delay: string | undefined): ReturnType<typeof parseStored> {
  const { class: list, name, declared, count, since, usage } = guestState();
  const texts = { class: list, name, declared, count: `${count}`, since: `${since}`, usage: `${usage}` };
  const guest = delay === undefined ? texts : { ...texts, delay };
  return parseStored("h1", { tick, service: [UUID], scientific: [], guests: new Map([[UUID, guest]]) });
}

describe("what a later version stored", () => {
  it.each([
    ["", {}],
    [", with guests that look otherwise", { [UUID]: { list: "service" } }],
  ])("is told from what is corrupt by the version of its plan%s", (_what, guests) => {
    const raw = { service: [UUID], scientific: [], guests: new Map(Object.entries(guests)) };
    const read = (plan: string) => () => parseStored("h1", { ...raw, tick: { ...tick, plan } });
    expect(read('{"schema":2,"what":"else"}')).toThrow(LaterStateError);
    expect(read('{"schema":2,"what":"else"}')).toThrow(
      /host h1: plan: schema: is version 2 of the contracts/,
    );
    for (const plan of ['{"schema":"2"}', '{"schema":0}', "{"]) {
      expect(read(plan)).toThrow(CorruptStateError);
      expect(read(plan)).not.toThrow(LaterStateError);
    }
  });
});

describe("what is remembered of a declared delay", () => {
  const delay = { rung: 5, calm: 7, debt: 100, patience: 200, failed: 6 };

  it("is read back, and is not there where a version wrote that does not know it", () => {
    expect(stored(JSON.stringify(delay))?.guests[UUID]).toEqual(guestState({ delay }));
    expect(stored(undefined)?.guests[UUID]).toEqual(guestState());
  });

  it.each(["", "{", "null", "7", '{"rung":-1}', JSON.stringify({ ...delay, rung: 1e9 })])(
    "is forgotten where it cannot be read, and costs the host nothing else: %s",
    (text) => {
      expect(stored(text)?.guests[UUID]).toEqual(guestState());
    },
  );

  it("is written beside the counts alone, and as nothing where there is none", () => {
    const before = hostState(1, { [UUID]: guestState({ delay }) });
    const base = afterCommit(emptyHost, before);
    const argumentsOf = (rest: object): unknown[] => {
      const next = hostState(2, { [UUID]: guestState(rest) });
      return commitArguments(afterCommit(base, next), stateChange(base, next), undefined);
    };
    expect(stateChange(base, before)).toMatchObject({ changed: [], counted: [] });
    expect(argumentsOf({ delay: { ...delay, calm: 8 } }).slice(-3)).toEqual([
      0,
      0,
      JSON.stringify({ ...delay, calm: 8 }),
    ]);
    expect(argumentsOf({}).slice(-3)).toEqual([0, 0, ""]);
    expect(argumentsOf({ delay, usage: 0.5 }).slice(-3)).toEqual([0, 0.5, "="]);
  });
});
