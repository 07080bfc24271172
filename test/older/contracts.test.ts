/** Messages and plans of older versions, read as today's services read them. */
import { describe, expect, it } from "@jest/globals";
import { appliedSchema, hostOfSubject, hostSchema, parseContract, parseSample } from "@kvm-governor/policy";
import { PlanReader } from "../../services/actuator/src/plan-reader.ts";
import { parseStored } from "../../services/classifier/src/store/stored-fields.ts";
import { HOST, OLDER, olderKeys, olderMessage, type Keys } from "./state.ts";

const KINDS = ["sample", "applied", "host"] as const;
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

/** What Redis holds, as the store reads it. */
function raw(keys: Keys): Parameters<typeof parseStored>[1] {
  const of = <T>(name: string): T => keys[`kvmgov:{${HOST}}:${name}`] as T;
  const [service, scientific] = [of<string[]>("service"), of<string[]>("scientific")];
  const guests = [...service, ...scientific].map(
    (uuid) => [uuid, of<Record<string, string>>(`guest:${uuid}`)] as const,
  );
  return { tick: of("tick"), service, scientific, guests: new Map(guests) };
}

describe.each(OLDER)("of version %s", (version) => {
  const guests = ["solver", 'web "a:b,c=d"', "rising"];

  it.each(KINDS)("the subject of a %s names its host", (kind) => {
    expect(hostOfSubject(olderMessage(version, `kvmgov.v1.${kind}.`).subject)).toBe(HOST);
  });

  it("the sample, the report, the announcement and the plan say what they said", () => {
    const data = (start: string): string => olderMessage(version, start).data;
    const sample = parseSample(bytes(data("kvmgov.v1.sample.")), "sample");
    expect(sample.guests.map(({ name }) => name)).toEqual(guests);
    const applied = parseContract(appliedSchema, data("kvmgov.v1.applied."), "applied");
    const plan = new PlanReader().read(bytes(data("$KV.plans.")));
    expect(applied.generation).toBe(plan.generation);
    expect(applied.verified).toBeGreaterThan(0);
    expect(parseContract(hostSchema, data("kvmgov.v1.host."), "host")).toMatchObject({
      host: HOST,
      bootId: sample.bootId,
    });
    expect(plan.guests.map(({ name, class: list }) => [name, list])).toEqual([
      ["solver", "scientific"],
      ['web "a:b,c=d"', "service"],
      ["rising", "service"],
    ]);
    // Nothing of it is left out: a field that is not known here would be.
    expect(plan).toEqual(JSON.parse(data("$KV.plans.")));
  });

  it("what Redis holds are the lists, the counts and the plan", () => {
    const state = parseStored(HOST, raw(olderKeys(version)));
    const lists = Object.values(state?.guests ?? {}).map(({ name, class: list, count }) => [
      name,
      list,
      count,
    ]);
    expect(lists).toHaveLength(3);
    expect(lists).toContainEqual(["rising", "service", expect.any(Number)]);
    expect(lists).toContainEqual(["solver", "scientific", 0]);
    expect(lists).toContainEqual(['web "a:b,c=d"', "service", 0]);
    const { traceparent: _, ...plan } = new PlanReader().read(
      bytes(olderMessage(version, "$KV.plans.").data),
    );
    expect(state?.plan).toEqual(plan);
    // Counts stand in both.
    for (const { uuid, count } of plan.guests) expect(state?.guests[uuid]?.count).toBe(count);
    expect(lists.find(([name]) => name === "rising")?.[2]).toBeGreaterThan(0);
  });
});
