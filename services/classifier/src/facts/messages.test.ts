import { gzipSync } from "node:zlib";
import { describe, expect, it } from "@jest/globals";
import { FactsRefusedError, pack, readAnswer, readQuestion } from "./messages.ts";
import type { RefusalReason } from "./messages.ts";

const head = { schema: 1, from: "a1", nowMs: 1 };
const zipped = (value: unknown): Uint8Array =>
  gzipSync(typeof value === "string" ? value : JSON.stringify(value));

async function refusalOf(reading: Promise<unknown>): Promise<FactsRefusedError> {
  const error: unknown = await reading.then(
    () => undefined,
    (cause: unknown) => cause,
  );
  expect(error).toBeInstanceOf(FactsRefusedError);
  return error as FactsRefusedError;
}

it("reads what it writes, and passes over fields that it does not know", async () => {
  const packed = await pack({ from: "a1", nowMs: 5, guests: [], more: 0, later: { field: 1 } });
  expect(await readAnswer("find", packed)).toEqual({ schema: 1, from: "a1", nowMs: 5, guests: [], more: 0 });
  expect(await readQuestion("find", await pack({ guest: "web" }))).toEqual({ schema: 1, guest: "web" });
});

describe("refuses", () => {
  const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
  // What a host can make the server send to a subject of its choice: both are JSON as they come.
  const ack = bytes('{"stream":"KVMGOV_SAMPLE","seq":7}');
  const plan = bytes('{"schema":1,"host":"h1","bootId":"0b5a7a0e","generation":1,"guests":[]}');

  it.each<[string, RefusalReason, Uint8Array]>([
    ["an acknowledgement of the server", "not-gzip", ack],
    ["a plan that the server delivers", "not-gzip", plan],
    ["nothing", "not-gzip", new Uint8Array()],
    ["half of an answer", "not-gzip", zipped({ ...head, guests: [], more: 0 }).subarray(0, 20)],
    ["text that is no JSON", "not-json", zipped("guests")],
    [
      "another version of the contracts",
      "newer-version",
      zipped({ ...head, schema: 2, guests: [], more: 0 }),
    ],
    ["what is nested too deep", "too-deep", zipped("[".repeat(1000))],
    ["what unzips to too much", "oversized", zipped(" ".repeat(17 * 1024 * 1024))],
    ["a name that is no member's", "invalid", zipped({ ...head, from: "a.b", guests: [], more: 0 })],
    ["more guests than are told", "invalid", zipped({ ...head, guests: Array(101).fill({}), more: 0 })],
    ["no time", "invalid", zipped({ schema: 1, from: "a1", guests: [], more: 0 })],
  ])("%s", async (_, reason, data) => {
    expect(await refusalOf(readAnswer("find", data))).toMatchObject({ reason });
  });

  it("a question that is larger than any", async () => {
    const long = zipped({ schema: 1, guest: "x".repeat(20_000) });
    expect(await refusalOf(readQuestion("find", long))).toMatchObject({ reason: "oversized" });
  });

  it("naming the field", async () => {
    const { message } = await refusalOf(readQuestion("host", zipped({ schema: 1, host: "a b" })));
    expect(message).toBe("question for host: host: must be 1 to 128 of A-Z a-z 0-9 _ -");
    const wrong = zipped({ ...head, host: "h1", facts: { tick: { plan: 1 } } });
    expect((await refusalOf(readAnswer("host", wrong))).message).toMatch(/^answer on host: facts\.tick\./);
  });
});
