import { describe, expect, it } from "@jest/globals";
import { decide, planSchema, presetSettings } from "@kvm-governor/policy";
import type { HostState, Plan } from "@kvm-governor/policy";
import { aboveGeneration, isNewer, newestState, stateFromPlan } from "./recover.ts";
import { BOOT, OTHER_BOOT, guestSample, sampleOf, uuidOf } from "./testing/samples.ts";

const settings = presetSettings("default", { beta: 3 });

/** State and plan after some ticks with one busy guest. */
function after(ticks: number): { state: HostState; plan: Plan } {
  let state: HostState | undefined;
  for (let tick = 1; tick <= ticks; tick++) {
    const decision = decide(state, sampleOf("h", tick, [guestSample(1, { run: 1 })]), settings);
    if (decision.kind === "decided") state = decision.next;
  }
  if (state?.plan === undefined) throw new Error("nothing decided");
  return { state, plan: planSchema.parse(JSON.parse(JSON.stringify(state.plan))) };
}

describe("isNewer", () => {
  const at = (generation: number, sequence: number, bootId = BOOT) => ({ bootId, generation, sequence });
  it.each([
    ["a higher generation", at(2, 1), at(1, 9), true],
    ["a lower generation", at(1, 9), at(2, 1), false],
    ["a later sample of a generation", at(1, 2), at(1, 1), true],
    ["the same", at(1, 1), at(1, 1), false],
    ["a later sequence of another boot", at(1, 2, OTHER_BOOT), at(1, 1), false],
  ])("%s", (_what, a, b, newer) => expect(isNewer(a, b)).toBe(newer));
});

describe("a lost store is rebuilt from the plan", () => {
  it("with class, count and since of every guest", () => {
    const { state, plan } = after(3);
    const rebuilt = stateFromPlan(plan);
    const { count, since, class: kind } = state.guests[uuidOf(1)] ?? {};
    expect(count).toBe(3);
    expect(rebuilt.guests[uuidOf(1)]).toMatchObject({ count, since, class: kind });
  });

  it("and the next tick is what it would have been", () => {
    const { state, plan } = after(3);
    const sample = sampleOf("h", 4, [guestSample(1, { run: 1 })]);
    const lost = decide(stateFromPlan(plan), sample, settings);
    const kept = decide(state, sample, settings);
    expect(lost).toEqual(kept);
    expect(kept.kind === "decided" && kept.next.guests[uuidOf(1)]?.class).toBe("scientific");
  });

  it("where the plan is the newer one, and only there", () => {
    const { state, plan } = after(5);
    const older = after(4);
    expect(newestState(older.state, plan)).toEqual(stateFromPlan(plan));
    expect(newestState(state, older.plan)).toBe(state);
    expect(newestState(state, plan)).toBe(state);
    expect(newestState(undefined, plan)).toEqual(stateFromPlan(plan));
    expect(newestState(state, undefined)).toBe(state);
  });
});

describe("aboveGeneration", () => {
  const seen = { bootId: BOOT, generation: 40, sequence: 1 };
  const sample = sampleOf("h", 9, [guestSample(1, { run: 0 })]);
  it.each([
    ["a lost state", undefined],
    ["an older state", after(2).state],
  ])("%s goes on above what an actuator has seen", (_what, state) => {
    const decision = decide(aboveGeneration(state, seen), sample, settings);
    expect(decision).toMatchObject({ kind: "decided", plan: { generation: 41 } });
  });

  it("leaves a state alone that is not behind", () => {
    const { state } = after(2);
    expect(aboveGeneration(state, { ...seen, generation: state.generation })).toBe(state);
    expect(aboveGeneration(undefined, undefined)).toBeUndefined();
  });
});
