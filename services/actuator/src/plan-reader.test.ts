import { describe, expect, it } from "@jest/globals";
import { ContractError, parseContract, planSchema, type Plan } from "@kvm-governor/policy";
import fc from "fast-check";
import { PlanReader } from "./plan-reader.ts";

const uuidOf = (at: number): string => `00000000-0000-4000-8000-${String(at).padStart(12, "0")}`;

const cpus = fc.oneof(fc.constant("baseline"), fc.uniqueArray(fc.nat(7), { minLength: 1 }), fc.constant([]));
const vcpu = fc.record({
  index: fc.nat(2),
  bandwidth: fc.constantFrom("baseline", "unlimited", 0.3, 0.5, -1),
  cpus,
});
/** Mostly right, at times wrong, with fields that nobody knows. */
const guest = fc.record(
  {
    name: fc.constantFrom("web", "db"),
    pid: fc.constantFrom(10, 20, 0),
    startTime: fc.constant(1),
    class: fc.constantFrom("service", "scientific", "gold"),
    count: fc.nat(2),
    since: fc.constant(1),
    vcpus: fc.array(vcpu, { maxLength: 2 }),
    weight: fc.constantFrom("idle", 4, "heavy"),
    emulatorCpus: cpus,
    ioThreadCpus: fc.constant("baseline"),
    reasons: fc.array(fc.record({ code: fc.constant("share"), text: fc.constantFrom("a", "b") }), {
      maxLength: 2,
    }),
    slaCores: fc.constantFrom(0.5, 1),
    periodUs: fc.constantFrom(20_000, 50_000, 1),
    later: fc.nat(1),
  },
  { requiredKeys: ["name", "startTime", "class", "since", "ioThreadCpus", "weight", "emulatorCpus"] },
);
/** A plan, and what the next ones change: one guest each, or the head. */
const sequences = fc.record({
  guests: fc.array(guest, { maxLength: 3 }),
  changes: fc.array(
    fc.record({ at: fc.nat(3), guest, generation: fc.constantFrom(1, 2, 0), uuid: fc.nat(3) }),
    { maxLength: 6 },
  ),
});

type Outcome = Plan | string;

function outcome(read: () => Plan): Outcome {
  try {
    return read();
  } catch (error) {
    if (error instanceof ContractError) return error.message;
    throw error;
  }
}

const head = { schema: 1, host: "h1", bootId: "fcb5ddbd-19aa-478b-b3ea-f986bf459774", preset: "default" };
const good = {
  ...{ name: "web", pid: 10, startTime: 1, class: "service", count: 0, since: 1, weight: 4 },
  ...{
    vcpus: [{ index: 0, bandwidth: 0.3, cpus: [0] }],
    emulatorCpus: [1],
    ioThreadCpus: "baseline",
    reasons: [],
  },
};
const bytesOf = (guests: readonly object[], generation = 1): Buffer =>
  Buffer.from(JSON.stringify({ ...head, generation, sequence: 5, expiresAtUs: 9, guests }));

describe("PlanReader", () => {
  it("reads every plan of a sequence, right or wrong, as the contract does", () => {
    fc.assert(
      fc.property(sequences, ({ guests, changes }) => {
        const reader = new PlanReader();
        const now: object[] = guests.map((each, at) => ({ ...good, ...each, uuid: uuidOf(at) }));
        const plans = [bytesOf(now)];
        for (const { at, guest: other, generation, uuid } of changes) {
          now[at % (now.length + 1)] = { ...good, ...other, uuid: uuidOf(uuid) };
          plans.push(bytesOf(now, generation), bytesOf(now));
        }
        for (const data of plans) {
          expect(outcome(() => reader.read(data))).toEqual(
            outcome(() => parseContract(planSchema, data, "plan")),
          );
        }
      }),
      { numRuns: 150 },
    );
  });

  it.each([
    [[0], [0, 1]],
    [[0, 1], [0]],
  ])("tells CPUs %j from %j", (before, now) => {
    const reader = new PlanReader();
    const web = { ...good, uuid: uuidOf(1) };
    reader.read(bytesOf([{ ...web, emulatorCpus: before }]));
    expect(reader.read(bytesOf([{ ...web, emulatorCpus: now }])).guests[0]?.emulatorCpus).toEqual(now);
  });

  it("gives the same objects for guests that stayed the same", () => {
    const reader = new PlanReader();
    const [web, db] = [
      { ...good, uuid: uuidOf(1) },
      { ...good, uuid: uuidOf(2) },
    ];
    const first = reader.read(bytesOf([web, db]));
    const second = reader.read(bytesOf([{ ...web, count: 1 }, db], 2));
    expect(second.guests[1]).toBe(first.guests[1]);
    expect([second.generation, second.guests[0]]).toEqual([2, { ...web, count: 1 }]);
    expect(first.guests[0]).toEqual(web);
  });
});
