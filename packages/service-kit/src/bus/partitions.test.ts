import { describe, expect, it } from "@jest/globals";
import { skipsSome } from "./partitions.ts";

const at = (stream_seq: number) => ({
  delivered: { stream_seq, consumer_seq: 0, last_active: 0 },
});

describe("skipsSome", () => {
  it.each([
    ["begins where it should", at(622), 623, 500, false],
    ["begins before: what comes again is recognised", at(600), 623, 500, false],
    ["begins after what nobody worked off", at(624), 623, 500, true],
    ["begins with the first that the stream still has", at(699), 623, 700, false],
    ["begins after that", at(700), 623, 700, true],
    ["gives all there is", at(499), undefined, 500, false],
    ["should give all, and does not", at(655), undefined, 500, true],
    ["is of a stream that had no message yet", at(0), undefined, 0, false],
  ])("a consumer that %s", (_what, info, start, first, skips) =>
    expect(skipsSome(info, start, first)).toBe(skips),
  );
});
