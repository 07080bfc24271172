import { describe, expect, it } from "@jest/globals";
import { Ledger } from "./ledger.ts";
import type { SeenGuests, Wants } from "./messages.ts";

const BETA = 3;
const SECOND = 1_000_000;
const at = (tick: number): number => tick * SECOND;
const service = (count: number): SeenGuests => ({ a: { class: "service", count } });
const scientific = (count: number): SeenGuests => ({ a: { class: "scientific", count } });
const busy: Wants = { a: "all" };
const idle: Wants = { a: "little" };

/** A ledger with these samples in the stream, ticks 1, 2, 3 and so on. */
function ledgerOf(wants: readonly Wants[], { unsettled = [] as number[], planTtlUs = at(100) } = {}): Ledger {
  const ledger = new Ledger({ beta: BETA, planTtlUs });
  for (const [n, want] of wants.entries()) {
    ledger.sampled(at(n + 1), want, n);
    if (!unsettled.includes(n + 1)) ledger.stored(at(n + 1));
  }
  return ledger;
}

describe("Ledger", () => {
  it("follows the paper's algorithms: up, over beta to the other list, and back", () => {
    const ledger = ledgerOf([busy, busy, busy, busy, idle, busy, idle]);
    const seen = [
      service(1),
      service(2),
      service(3),
      scientific(0),
      scientific(1),
      scientific(0),
      scientific(1),
    ];
    for (const [n, guests] of seen.entries()) expect(ledger.settle(at(n + 1), guests)).toBeUndefined();
    expect(ledger.settled).toBe(at(7));
    expect(ledger.samples).toBe(7);
  });

  it("follows over plans that nobody saw", () => {
    expect(ledgerOf([busy, busy, idle, busy]).settle(at(4), service(2))).toBeUndefined();
  });

  it("finds a tick that was left out", () => {
    expect(ledgerOf([busy, busy, busy]).settle(at(3), service(2))).toMatch(
      /after tick 3000000: guest a: service 2 where service 3 follows/,
    );
  });

  it("finds a tick that was counted twice, and a count that jumps", () => {
    expect(ledgerOf([busy, busy]).settle(at(2), service(3))).toMatch(/service 3 where service 2 follows/);
    expect(ledgerOf([busy, busy]).settle(at(2), scientific(0))).toMatch(/scientific 0 where service 2/);
  });

  it("finds a guest that is gone, and one that is new to everybody", () => {
    expect(ledgerOf([busy]).settle(at(1), {})).toMatch(/guest a: not there where service 1 follows/);
    const two = { ...service(1), b: { class: "service", count: 0 } } as const;
    expect(ledgerOf([busy]).settle(at(1), two)).toMatch(/guest b: service 0 where not there follows/);
  });

  it("finds a tick that stands for two things, and one that no sample was sent for", () => {
    const ledger = ledgerOf([busy, busy]);
    ledger.settle(at(1), service(1));
    ledger.settle(at(2), service(2));
    expect(ledger.settle(at(1), service(1))).toBeUndefined();
    expect(ledger.settle(at(1), service(0))).toMatch(/tick 1000000 is there twice/);
    expect(ledger.settle(at(9), service(3))).toMatch(/rests on no sample/);
  });

  it("keeps both courses where nobody knows whether a sample was stored, and no third", () => {
    const doubtful = { unsettled: [2] };
    expect(ledgerOf([busy, busy, busy], doubtful).settle(at(3), service(2))).toBeUndefined();
    expect(ledgerOf([busy, busy, busy], doubtful).settle(at(3), service(3))).toBeUndefined();
    expect(ledgerOf([busy, busy, busy], doubtful).settle(at(3), service(1))).toMatch(/2 courses possible/);
  });

  it("lets a sample be passed over when a newer one has made its plan void", () => {
    const old = { planTtlUs: at(2) };
    expect(ledgerOf([busy, busy, busy, busy], old).settle(at(4), service(3))).toBeUndefined();
    expect(ledgerOf([busy, busy, busy, busy], old).settle(at(4), service(2))).toMatch(/after tick/);
  });

  it("tells one fault once: goes on from what is there", () => {
    const ledger = ledgerOf([busy, busy, busy]);
    expect(ledger.settle(at(2), service(0))).toBeDefined();
    expect(ledger.settle(at(3), service(1))).toBeUndefined();
  });
});
