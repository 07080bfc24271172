import { describe, expect, it } from "@jest/globals";
import { carriedGuest, newcomers } from "./carried.ts";
import type { ArrivedGuest } from "./carried.ts";
import { decide } from "./decide/decide.ts";
import type { Sample } from "./contracts/sample.ts";
import { BUSY, HELD, OTHER_BOOT, QUIET, TestHost, guest, planOf, uuidOf } from "./testing/hosts.ts";
import type { Decided } from "./testing/hosts.ts";

const BETA = 3;

/** A host that booted long after the other, on which the first guest was until now. */
function takeOver(from: TestHost, to: TestHost, sample: Sample): Decided {
  const carried = from.state && carriedGuest(from.state, uuidOf(1));
  const arrived = new Map<string, ArrivedGuest>();
  if (carried !== undefined) arrived.set(uuidOf(1), { ...carried, from: "h1" });
  const decision = decide(to.state, sample, to.settings, undefined, arrived);
  if (decision.kind !== "decided") throw new Error("not decided");
  to.state = decision.next;
  return decision;
}

const OTHER_HOST = { host: "h2", bootId: OTHER_BOOT };

function secondHost(settings: ConstructorParameters<typeof TestHost>[0] = { beta: BETA }): TestHost {
  return new TestHost(settings, OTHER_HOST);
}

describe("a guest that comes from another host", () => {
  it("keeps its count, and is counted on from there", () => {
    const from = new TestHost({ beta: BETA });
    from.run(2, [guest(1, HELD)]);
    const to = secondHost();
    to.run(5, [guest(2, QUIET)]);
    const first = takeOver(from, to, to.sample([guest(1, HELD), guest(2, QUIET)], { sequence: 100_000_000 }));
    expect(planOf(first, 1)).toMatchObject({ class: "service", count: 3 });
    expect(planOf(first, 2).count).toBe(0);
    to.ticks = 200;
    expect(planOf(to.tick([guest(1, HELD)]), 1)).toMatchObject({ class: "scientific", count: 0 });
  });

  it("keeps its list from its first sample on, also one that says nothing of its load", () => {
    const from = new TestHost({ beta: BETA });
    from.run(BETA + 1, [guest(1, BUSY)]);
    const to = secondHost();
    const migrating = to.sample([guest(1, {}, { state: "migrating" })]);
    expect(planOf(takeOver(from, to, migrating), 1)).toMatchObject({ class: "scientific", count: 0 });
  });

  it("begins anew where nothing is known of it", () => {
    const to = secondHost();
    const decision = takeOver(new TestHost(), to, to.sample([guest(1, BUSY)]));
    expect(planOf(decision, 1)).toMatchObject({ class: "service", count: 1 });
    expect(planOf(decision, 1).reasons[0]?.code).toBe("new");
  });

  it("says where it is known from, once, however often it moves on", () => {
    const from = new TestHost({ beta: BETA });
    from.run(BETA + 1, [guest(1, BUSY)]);
    const to = secondHost();
    const first = planOf(takeOver(from, to, to.sample([guest(1, BUSY)])), 1).reasons[0];
    expect(first).toEqual({
      code: "moved-to-scientific",
      text: expect.stringMatching(/^LIST_se to LIST_sc: .* beta 3 times \(known from host h1\)$/),
    });
    const third = new TestHost({ beta: BETA });
    const again = planOf(takeOver(to, third, third.sample([guest(1, BUSY)])), 1).reasons[0];
    expect(again).toEqual(first);
  });

  it("goes on cooling down for what is left of the time, by the clock of a host that booted since", () => {
    const settings = { beta: BETA, coolDownMs: 60_000 };
    const from = new TestHost(settings);
    from.run(BETA + 1, [guest(1, BUSY)]);
    from.run(BETA + 1, [guest(1, QUIET)]);
    // Forty of the sixty seconds pass on the first host.
    from.run(36, [guest(1, QUIET)]);
    from.run(4, [guest(1, BUSY)]);
    const to = new TestHost(settings, OTHER_HOST);
    // Up for less time than the guest is in its list: `since` cannot lie before the boot.
    const first = to.sample([guest(1, BUSY)], { sequence: 50_000_000 });
    expect(planOf(takeOver(from, to, first), 1)).toMatchObject({
      class: "service",
      count: BETA,
      since: 10_000_000,
    });
    const back = to.ticksUntil(1, "scientific", [guest(1, BUSY)]);
    // Without the cool-down it would have moved at once. Ticks begin at 61 s, and the time is over at 70 s.
    expect(back).toBe(10);
  });

  it("obeys what is declared on the new host", () => {
    const from = new TestHost({ beta: BETA });
    from.run(BETA + 1, [guest(1, BUSY)]);
    const to = secondHost();
    const declared = { class: "service", source: "metadata" } as const;
    const decision = takeOver(from, to, to.sample([guest(1, BUSY, { declared })]));
    expect(planOf(decision, 1)).toMatchObject({ class: "service", count: 0 });
    expect(planOf(decision, 1).reasons[0]?.text).toBe("LIST_se: declared service by metadata");
  });

  it("is not taken from elsewhere where the host knows it itself", () => {
    const from = new TestHost({ beta: BETA });
    from.run(BETA + 1, [guest(1, BUSY)]);
    const to = secondHost();
    to.run(2, [guest(1, QUIET)]);
    to.ticks++;
    const decision = takeOver(from, to, to.sample([guest(1, QUIET)]));
    expect(planOf(decision, 1)).toMatchObject({ class: "service", count: 0 });
  });
});

describe("newcomers", () => {
  it("are the managed guests that the host does not know, each once", () => {
    const host = new TestHost();
    host.tick([guest(1)]);
    const exempt = guest(4, {}, { declared: { class: "exempt" } });
    const sample = host.sample([guest(1), guest(2), guest(3), guest(3), exempt]);
    expect(newcomers(host.state, sample)).toEqual([uuidOf(2), uuidOf(3)]);
    expect(newcomers(undefined, sample)).toEqual([uuidOf(1), uuidOf(2), uuidOf(3)]);
  });
});
