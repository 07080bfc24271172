import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { guest, TestHost } from "../testing/hosts.ts";
import { sampleArbitrary } from "../testing/arbitraries.ts";
import { checkSample, isExactSample, parseSample } from "./exact-sample.ts";
import { checkContract, ContractError, parseContract } from "./parse.ts";
import { declaredSchema, guestSampleSchema, sampleSchema, vcpuSampleSchema } from "./sample.ts";

const SOURCE = "sample on kvmgov.v1.sample.h1";
const good = new TestHost().sample([guest(1, { run: 0.5 }), guest(2)]);

/** As it comes from a bus. */
const fromJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

type Container = Record<string, unknown> | unknown[];

/** Every object and array within a value, the value itself first. */
function containersOf(value: unknown): Container[] {
  if (typeof value !== "object" || value === null) return [];
  return [value as Container, ...Object.values(value).flatMap(containersOf)];
}

/** At the edges of what a field may be, and of other kinds. */
const anyValue = fc.oneof(
  fc.constantFrom<unknown>(null, true, "", "x", [], {}, [0], [2, 1], [0, 0], [-1], [65_536], { length: 1 }),
  fc.constantFrom<unknown>(
    0,
    -0,
    1,
    2,
    2.0001,
    1.5,
    -1,
    0.1,
    65_535,
    65_536,
    65_537,
    86_400_001,
    1e308,
    2 ** 53,
  ),
  fc.constantFrom<unknown>("running", "auto", "exempt", "dedicated", "a.b", "0".repeat(129), "y".repeat(257)),
  fc.constantFrom<unknown>("z".repeat(1024), "z".repeat(1025), "8f932a11-fd3e-4dba-81a2-6c3ed2400000"),
  fc.jsonValue(),
);

/** Names of all fields that a sample may have, and some that it may not. */
const names = [
  ...[sampleSchema, guestSampleSchema, vcpuSampleSchema, declaredSchema].flatMap(({ shape }) =>
    Object.keys(shape),
  ),
  ...["node", "share", "reason", "unknown", "", "__proto__", "constructor", "length"],
];

/** One change somewhere in a value: a field or an entry set, or taken away. */
const changeArbitrary = fc.record({
  container: fc.nat(),
  entry: fc.nat(),
  name: fc.constantFrom(...names),
  how: fc.constantFrom("set a field that is there", "set a field", "set a field", "remove"),
  value: anyValue,
});

function change(value: unknown, { container, entry, name, how, value: shared }: Change): void {
  // Of its own: a later change may hit what this one put in, and would otherwise change the arbitrary's constants.
  const fresh = structuredClone(shared);
  const all = containersOf(value);
  const one = all[container % all.length]!;
  const keys = Object.keys(one);
  const present = keys[entry % Math.max(1, keys.length)] ?? "0";
  if (Array.isArray(one)) {
    if (how === "remove") one.splice(Number(present), 1);
    else one[Number(present)] = fresh;
  } else if (how === "remove") delete one[present];
  else {
    const key = how === "set a field" ? name : present;
    Object.defineProperty(one, key, { value: fresh, enumerable: true, configurable: true, writable: true });
  }
}
type Change = typeof changeArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** Whether the schema accepts a value and gives it back as it is. */
function isExactBySchema(value: unknown): boolean {
  const result = sampleSchema.safeParse(value);
  return result.success && JSON.stringify(sorted(result.data)) === JSON.stringify(sorted(value));
}

/** With fields in the order of their names: the schema puts them in an order of its own. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  return Object.entries(value)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, each]) => [key, sorted(each)]);
}

describe("isExactSample", () => {
  it("says yes to every sample as collectors send it", () => {
    fc.assert(fc.property(sampleArbitrary, (sample) => isExactSample(fromJson(sample))));
  });

  it("says yes to exactly what the schema accepts and gives back as it is, whatever is changed", () => {
    let accepted = 0;
    const samples = fc.tuple(sampleArbitrary, fc.array(changeArbitrary, { minLength: 1, maxLength: 2 }));
    fc.assert(
      fc.property(samples, ([sample, changes]) => {
        const value = fromJson(sample);
        for (const each of changes) change(value, each);
        const exact = isExactSample(value);
        if (exact) accepted++;
        expect(exact).toBe(isExactBySchema(value));
      }),
      { numRuns: 3000 },
    );
    // Changes that keep a sample right are among them, so that both answers were tried.
    expect(accepted).toBeGreaterThan(100);
  });

  it.each([
    ["null", null],
    ["a list", []],
    ["a text", "sample"],
    ["a number that JSON cannot hold", { ...good, hostRun: Infinity }],
    ["no number", { ...good, hostRun: NaN }],
  ])("says no to %s", (_what, value) => {
    expect(isExactSample(value)).toBe(false);
  });
});

describe("parseSample", () => {
  it("reads text and bytes as the schema does", () => {
    const text = JSON.stringify(good);
    expect(parseSample(text, SOURCE)).toEqual(parseContract(sampleSchema, text, SOURCE));
    expect(parseSample(new TextEncoder().encode(text), SOURCE)).toEqual(good);
  });

  it("leaves out what it does not know, so that a newer collector is understood", () => {
    const newer: unknown = {
      ...good,
      load: 3,
      guests: good.guests.map((each) => ({ ...each, colour: "red" })),
    };
    expect(parseSample(JSON.stringify(newer), SOURCE)).toEqual(good);
  });

  it("names what is wrong in the schema's words", () => {
    const wrong = { ...good, guests: [{ ...good.guests[0], pid: 0 }] };
    const message = (read: () => unknown): string => {
      try {
        read();
      } catch (error) {
        if (error instanceof ContractError) return error.message;
        throw error;
      }
      return "nothing was thrown";
    };
    const said = message(() => checkSample(wrong, SOURCE));
    expect(said).toContain("guests[0].pid");
    expect(said).toBe(message(() => checkContract(sampleSchema, wrong, SOURCE)));
  });
});
