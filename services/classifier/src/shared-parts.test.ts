import { describe, expect, it } from "@jest/globals";
import { decide, settingsSchema } from "@kvm-governor/policy";
import type { Plan } from "@kvm-governor/policy";
import { SharedParts } from "./shared-parts.ts";
import { guestSample, sampleOf } from "./testing/samples.ts";

function planOf(host: string): Plan {
  const decision = decide(
    undefined,
    sampleOf(host, 1, [guestSample(1, { run: 0.1 })]),
    settingsSchema.parse({}),
  );
  if (decision.kind !== "decided") throw new Error("not decided");
  return structuredClone(decision.plan);
}

describe("SharedParts", () => {
  it("gives plans of several hosts the same copies, and changes nothing else", () => {
    const shared = new SharedParts();
    const [one, two] = [planOf("a"), planOf("b")];
    const before = structuredClone([one, two]);
    shared.share(one, undefined);
    shared.share(two, undefined);
    expect([one, two]).toEqual(before);
    const reasons = one.guests[0]?.reasons ?? [];
    expect(reasons.length).toBeGreaterThan(0);
    for (const [at, reason] of reasons.entries()) expect(two.guests[0]?.reasons[at]).toBe(reason);
  });

  it("does not mix up codes, and leaves alone what the plan before has already", () => {
    const shared = new SharedParts();
    const plan = planOf("a");
    const own = plan.guests[0]?.reasons;
    shared.share(plan, plan);
    expect(shared.size).toBe(0);
    shared.share(plan, undefined);
    const other = structuredClone(plan);
    for (const reason of other.guests[0]?.reasons ?? []) reason.code = "other";
    shared.share(other, undefined);
    expect(other.guests[0]?.reasons.map(({ code }) => code)).toEqual(own?.map(() => "other"));
  });

  it("has one list of CPUs and one way of being held for all guests of a plan that are held alike, and changes nothing else", () => {
    const shared = new SharedParts();
    const plan = planOf("a");
    const [guest] = plan.guests;
    if (guest === undefined) throw new Error("a guest is needed");
    const held = (bandwidth: number | "unlimited", cpus: number[]): (typeof guest)["vcpus"] =>
      [0, 1].map((index) => ({ index, bandwidth, cpus: [...cpus] }));
    const [many, other] = [
      [0, 1, 2],
      [0, 1, 3],
    ];
    plan.guests = [
      { ...guest, emulatorCpus: [...many], ioThreadCpus: [...many], vcpus: held("unlimited", many) },
      { ...guest, emulatorCpus: [...many], ioThreadCpus: "baseline", vcpus: held("unlimited", many) },
      { ...guest, vcpus: held(0.5, many) },
      { ...guest, vcpus: held("unlimited", other) },
      { ...guest, vcpus: held("unlimited", many).slice(1) },
    ];
    const before = structuredClone(plan);
    shared.share(plan, undefined);
    expect(plan).toEqual(before);
    const [one, two, three] = plan.guests;
    expect(two?.vcpus).toBe(one?.vcpus);
    expect(two?.emulatorCpus).toBe(one?.ioThreadCpus);
    expect(three?.vcpus[0]?.cpus).toBe(one?.emulatorCpus);
  });
});
