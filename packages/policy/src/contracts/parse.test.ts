import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { z } from "zod";
import { guest, TestHost } from "../testing/hosts.ts";
import { planArbitrary, sampleArbitrary } from "../testing/arbitraries.ts";
import { hostStateSchema } from "../state.ts";
import { appliedSchema } from "./applied.ts";
import { hostSchema } from "./host.ts";
import { DEPTH_MAX } from "./json-bounds.ts";
import {
  checkContract,
  ContractDepthError,
  ContractError,
  ContractVersionError,
  MESSAGE_BYTES_MAX,
  parseContract,
} from "./parse.ts";
import { planSchema } from "./plan.ts";
import { sampleSchema } from "./sample.ts";

const SOURCE = "sample on kvmgov.v1.sample.h1";
const good = new TestHost().sample([guest(1, { run: 0.5 }), guest(2)]);

/** The error of a sample in which one thing was changed. */
function errorOf(change: (sample: ReturnType<typeof mutable>) => void): ContractError {
  const sample = mutable();
  change(sample);
  return thrown(() => parseContract(sampleSchema, JSON.stringify(sample), SOURCE));
}

// Changes must be able to make it wrong: so not a Sample.
const mutable = (): { guests: Record<string, unknown>[] } & Record<string, unknown> =>
  JSON.parse(JSON.stringify(good)) as { guests: Record<string, unknown>[] } & Record<string, unknown>;

function thrown(act: () => unknown): ContractError {
  try {
    act();
  } catch (error) {
    if (error instanceof ContractError) return error;
    throw error;
  }
  throw new Error("nothing was thrown");
}

describe("parseContract", () => {
  it("reads text and bytes alike", () => {
    const text = JSON.stringify(good);
    expect(parseContract(sampleSchema, text, SOURCE)).toEqual(good);
    expect(parseContract(sampleSchema, new TextEncoder().encode(text), SOURCE)).toEqual(good);
  });

  it.each([
    ["a missing field", (s: Record<string, unknown>) => delete s["bootId"], "bootId"],
    ["another version", (s: Record<string, unknown>) => (s["schema"] = 2), "schema"],
    ["a host id with a dot", (s: Record<string, unknown>) => (s["host"] = "a.b"), "host"],
    ["a negative amount", (s: Record<string, unknown>) => (s["hostRun"] = -0.1), "hostRun"],
    ["a fraction of a microsecond", (s: Record<string, unknown>) => (s["sequence"] = 1.5), "sequence"],
    ["a period of 0", (s: Record<string, unknown>) => (s["periodMs"] = 0), "periodMs"],
    ["no CPU", (s: Record<string, unknown>) => (s["cpus"] = []), "cpus"],
    ["a CPU twice", (s: Record<string, unknown>) => (s["cpus"] = [0, 1, 1]), "cpus"],
    ["CPUs out of order", (s: Record<string, unknown>) => (s["cpus"] = [1, 0]), "cpus"],
    ["text for a number", (s: Record<string, unknown>) => (s["cpus"] = ["0"]), "cpus[0]"],
  ])("refuses %s and names the field", (_, change, field) => {
    expect(errorOf(change)).toMatchObject({ what: SOURCE, field });
  });

  it.each([
    ["uuid", "00000000-0000-4000-8000-00000000000G", "guests[1].uuid"],
    ["uuid", "00000000-0000-4000-8000-00000000000A", "guests[1].uuid"],
    ["name", "", "guests[1].name"],
    ["pid", 0, "guests[1].pid"],
    ["state", "asleep", "guests[1].state"],
    ["vcpus", [], "guests[1].vcpus"],
    ["vcpus", [{ index: 0, run: 2.01, delay: 0 }], "guests[1].vcpus[0].run"],
    ["vcpus", [{ index: 0, run: 0.1 }], "guests[1].vcpus[0].delay"],
    ["declared", { class: "batch" }, "guests[1].declared.class"],
    ["declared", { class: "auto", slaCores: "2" }, "guests[1].declared.slaCores"],
    ["allowedCpus", [], "guests[1].allowedCpus"],
    ["exemptReason", "whim", "guests[1].exemptReason"],
  ])("refuses a guest whose %s is %j and names the place", (key, value, field) => {
    const error = errorOf((sample) => {
      (sample.guests[1] as Record<string, unknown>)[key] = value;
    });
    expect(error.field).toBe(field);
    expect(error.message).toMatch(new RegExp(`^${SOURCE}: ${field.replace(/[[\]]/g, "\\$&")}: .`));
  });

  it("tolerates fields that it does not know", () => {
    const sample = mutable();
    sample["moon"] = "full";
    (sample.guests[0] as Record<string, unknown>)["mood"] = { good: true };
    expect(parseContract(sampleSchema, JSON.stringify(sample), SOURCE)).toEqual(good);
  });

  it("keeps hostile names as they are", () => {
    const sample = mutable();
    const name = 'a:b,c="d"\n\u0000';
    (sample.guests[0] as Record<string, unknown>)["name"] = name;
    expect(parseContract(sampleSchema, JSON.stringify(sample), SOURCE).guests[0]?.name).toBe(name);
  });

  it("refuses what is larger than a message may be, before it reads it", () => {
    const bytes = new Uint8Array(MESSAGE_BYTES_MAX + 1);
    const error = thrown(() => parseContract(sampleSchema, bytes, SOURCE));
    expect(error.message).toBe(`${SOURCE}: is 1048577 bytes long, at most 1048576 are accepted`);
  });

  it("counts bytes, not characters", () => {
    const error = thrown(() => parseContract(sampleSchema, "ä".repeat(MESSAGE_BYTES_MAX / 2 + 1), SOURCE));
    expect(error.message).toBe(`${SOURCE}: is 1048578 bytes long, at most 1048576 are accepted`);
  });

  it.each([
    ["arrays", (depth: number) => "[".repeat(depth) + "]".repeat(depth)],
    ["objects", (depth: number) => '{"a":'.repeat(depth) + "1" + "}".repeat(depth)],
    ["both, with space and strings between", (depth: number) => '[ "]}\\"]" , '.repeat(depth)],
  ])("refuses %s that are too deep, before it reads them", (_what, text) => {
    const deep = thrown(() => parseContract(sampleSchema, text(DEPTH_MAX + 1), SOURCE));
    expect(deep).toBeInstanceOf(ContractDepthError);
    expect(deep.message).toBe(`${SOURCE}: is nested more than 32 deep`);
    const flat = thrown(() => parseContract(sampleSchema, text(DEPTH_MAX), SOURCE));
    expect(flat).not.toBeInstanceOf(ContractDepthError);
  });

  it("takes brackets in strings for what they are", () => {
    const sample = mutable();
    const name = `${"[{".repeat(400)}"\\`;
    (sample.guests[0] as Record<string, unknown>)["name"] = name;
    expect(parseContract(sampleSchema, JSON.stringify(sample), SOURCE).guests[0]?.name).toBe(name);
  });

  it("names a later version, and does not look at its fields", () => {
    const error = thrown(() => parseContract(sampleSchema, '{"schema":2,"guests":"elsewhere"}', SOURCE));
    expect(error).toBeInstanceOf(ContractVersionError);
    expect(error.message).toBe(
      `${SOURCE}: schema: is version 2 of the contracts, this program knows 1: it must be upgraded first`,
    );
  });

  it("says what is not JSON, and keeps the cause", () => {
    for (const text of ["", "{", "\u0000", "[".repeat(DEPTH_MAX), "nul"]) {
      const error = thrown(() => parseContract(sampleSchema, text, SOURCE));
      expect(error.message).toContain(`${SOURCE}: is not JSON: `);
      expect(error.cause).toBeInstanceOf(SyntaxError);
    }
  });

  it("refuses numbers that JSON does not have", () => {
    for (const hostRun of [NaN, Infinity]) {
      expect(thrown(() => checkContract(sampleSchema, { ...good, hostRun }, SOURCE)).field).toBe("hostRun");
    }
  });

  it("does not take keys of a state for guests", () => {
    const state =
      '{"bootId":"0b5a7a0e-0001","sequence":1,"wallTimeMs":1,"generation":1,"guests":{"__proto__":{}}}';
    const parsed: unknown = JSON.parse(state);
    expect(Object.keys((parsed as { guests: object }).guests)).toEqual(["__proto__"]);
    expect(() => parseContract(hostStateSchema, state.replace("__proto__", "toString"), "state")).toThrow(
      ContractError,
    );
    expect(({} as { class?: unknown }).class).toBeUndefined();
  });
});

describe("any input", () => {
  const schemas: z.ZodType[] = [sampleSchema, planSchema, appliedSchema, hostSchema, hostStateSchema];

  it("gives a value or a ContractError, nothing else", () => {
    const inputs = fc.oneof(fc.string(), fc.json(), fc.uint8Array());
    fc.assert(
      fc.property(fc.constantFrom(...schemas), inputs, (schema, input) => {
        expect(thrown(() => parseContract(schema, input, "fuzz"))).toBeInstanceOf(ContractError);
      }),
    );
  });

  it("gives the same for a sample that was damaged somewhere", () => {
    const damaged = fc
      .tuple(sampleArbitrary, fc.nat(), fc.string({ maxLength: 3 }))
      .map(([sample, at, junk]) => {
        const text = JSON.stringify(sample);
        const cut = at % text.length;
        return text.slice(0, cut) + junk + text.slice(cut + 1);
      });
    fc.assert(
      fc.property(damaged, (text) => {
        try {
          sampleSchema.parse(parseContract(sampleSchema, text, "damaged"));
        } catch (error) {
          expect(error).toBeInstanceOf(ContractError);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("takes every valid sample and plan, and gives it back unchanged", () => {
    fc.assert(
      fc.property(sampleArbitrary, planArbitrary, (sample, plan) => {
        expect(parseContract(sampleSchema, JSON.stringify(sample), "sample")).toEqual(sample);
        expect(parseContract(planSchema, JSON.stringify(plan), "plan")).toEqual(plan);
      }),
    );
  });
});
