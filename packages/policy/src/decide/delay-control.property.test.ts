/** What holds of the feedback, whatever services do. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { DelayState } from "../state.ts";
import { delayStateSchema } from "../state.ts";
import { PATIENCE_MAX, followDelay } from "./delay-control.ts";
import type { DelaySeen, DelayWatch } from "./delay-control.ts";
import { FIRST_RUNG, TOP_RUNG } from "./delay-ladder.ts";

const SLA_DELAY = 0.1;

const seenArbitrary: fc.Arbitrary<DelaySeen> = fc.record({
  usage: fc.constantFrom(0, 0.005, 0.3, 1),
  delay: fc.oneof(
    fc.constantFrom(0, 0.05, 0.09, 0.1, 0.11, 0.5, 2),
    fc.double({ min: 0, max: 2, noNaN: true }),
  ),
  isShort: fc.constantFrom(false, false, false, true),
});

const stateArbitrary: fc.Arbitrary<DelayState> = fc
  .record({
    rung: fc.nat(TOP_RUNG),
    calm: fc.nat(PATIENCE_MAX),
    debt: fc.nat(200),
    patience: fc.constantFrom(100, 200, 1600),
    failed: fc.option(fc.nat(TOP_RUNG)),
  })
  .map(({ failed, ...rest }) => (failed === null ? rest : { ...rest, failed }));

const watchArbitrary: fc.Arbitrary<DelayWatch> = fc.record({
  slaDelay: fc.constantFrom(0.01, SLA_DELAY, 1),
  before: fc.option(stateArbitrary, { nil: undefined }),
  seen: fc.option(seenArbitrary, { nil: undefined, freq: 8 }),
});
const watchesArbitrary = fc.array(watchArbitrary, { minLength: 1, maxLength: 4 });
const topArbitrary = fc.constantFrom(FIRST_RUNG, 7, TOP_RUNG);

/** One service, period after period. */
class Service {
  state: DelayState | undefined;
  rung = FIRST_RUNG;
  changes = 0;

  feel(delay: number, { usage = 0.3, top = TOP_RUNG } = {}): number {
    const seen = { usage, delay, isShort: false };
    const { rung, next } = followDelay([{ slaDelay: SLA_DELAY, before: this.state, seen }], top);
    [this.state] = next;
    if (rung !== this.rung) this.changes += 1;
    return (this.rung = rung);
  }

  feelOften(times: number, delay: number, rest = {}): number {
    for (let i = 0; i < times; i++) this.feel(delay, rest);
    return this.rung;
  }
}

describe("whatever services do", () => {
  it("the rung is one of the ladder, at most the top, and all that is remembered is bounded", () => {
    fc.assert(
      fc.property(watchesArbitrary, topArbitrary, (watches, top) => {
        const { rung, next } = followDelay(watches, top);
        expect(Number.isInteger(rung) && rung >= 0 && rung <= top).toBe(true);
        expect(next).toHaveLength(watches.length);
        for (const state of next) {
          expect(delayStateSchema.parse(state)).toEqual(state);
          expect(state).toMatchObject({ rung });
          expect(state.calm).toBeLessThanOrEqual(PATIENCE_MAX);
          expect(state.patience).toBeLessThanOrEqual(PATIENCE_MAX);
          expect(state.debt).toBeLessThanOrEqual(200);
        }
      }),
      { numRuns: 2000 },
    );
  });

  it("who waits longer never gets scientific guests more", () => {
    fc.assert(
      fc.property(
        watchesArbitrary,
        topArbitrary,
        fc.nat(3),
        fc.double({ min: 0, max: 2, noNaN: true }),
        (watches, top, which, more) => {
          const at = which % watches.length;
          const slower = watches.map((watch, i) =>
            i !== at || watch.seen === undefined
              ? watch
              : { ...watch, seen: { ...watch.seen, delay: watch.seen.delay + more } },
          );
          expect(followDelay(slower, top).rung).toBeLessThanOrEqual(followDelay(watches, top).rung);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it("it goes up one rung at a time, and never in a period in which somebody exceeds", () => {
    fc.assert(
      fc.property(watchesArbitrary, topArbitrary, (watches, top) => {
        const before = Math.min(top, ...watches.map(({ before: state }) => state?.rung ?? FIRST_RUNG));
        const { rung } = followDelay(watches, top);
        expect(rung).toBeLessThanOrEqual(before + 1);
        const exceeds = watches.some(({ seen, slaDelay }) => (seen?.delay ?? 0) > slaDelay);
        if (exceeds) expect(rung).toBeLessThanOrEqual(before);
      }),
      { numRuns: 2000 },
    );
  });

  it("with any delays, at most one period in a hundred exceeds because a rung was tried that is too high", () => {
    // A host on which everything above a rung exceeds, always: the worst for who tries.
    fc.assert(
      fc.property(fc.integer({ min: FIRST_RUNG, max: TOP_RUNG - 1 }), (holds) => {
        const service = new Service();
        let exceeded = 0;
        const periods = 5000;
        for (let i = 0; i < periods; i++) {
          const delay = service.rung > holds ? 2 * SLA_DELAY : 0;
          exceeded += Number(delay > SLA_DELAY);
          service.feel(delay);
        }
        expect(exceeded).toBeGreaterThan(0);
        expect(exceeded / periods).toBeLessThanOrEqual(0.01);
      }),
    );
  });
});

describe("fast down", () => {
  it("above the first rung one period is enough, and what exceeds by much goes down further", () => {
    const service = new Service();
    service.feelOften(1000, 0);
    expect(service.rung).toBe(TOP_RUNG);
    expect(service.feel(0.11)).toBe(TOP_RUNG - 1);
    expect(service.feel(0.5)).toBe(TOP_RUNG - 4);
    expect(service.feel(1)).toBe(FIRST_RUNG);
  });

  it("below it one period in a hundred is forgiven, and two are not", () => {
    const service = new Service();
    for (let i = 0; i < 1000; i++) service.feel(i % 101 === 0 ? 1 : 0, { top: FIRST_RUNG });
    expect([service.rung, service.changes]).toEqual([FIRST_RUNG, 0]);
    service.feelOften(100, 0, { top: FIRST_RUNG });
    expect(service.feel(1)).toBe(FIRST_RUNG);
    expect(service.feel(1)).toBe(FIRST_RUNG - 1);
    expect(service.feelOften(5, 1)).toBe(0);
  });

  it("a service that is short of its SLA counts as one that waits", () => {
    const before = { rung: 6, calm: 50, debt: 0, patience: 100 };
    const seen = { usage: 0.3, delay: 0, isShort: true };
    expect(followDelay([{ slaDelay: SLA_DELAY, before, seen }], TOP_RUNG).rung).toBe(4);
  });
});

describe("slow up", () => {
  it("a rung above the first one takes a hundred calm periods in which a service ran", () => {
    const service = new Service();
    expect(service.feelOften(99, 0)).toBe(FIRST_RUNG);
    expect(service.feelOften(5000, 0, { usage: 0 })).toBe(FIRST_RUNG);
    expect(service.feel(0)).toBe(FIRST_RUNG + 1);
  });

  it("periods that nearly exceed are no reason to go on", () => {
    const service = new Service();
    expect(service.feelOften(5000, 0.09)).toBe(FIRST_RUNG);
  });

  it("what was given up in an overload comes back after it, also while services are quiet, whatever its length", () => {
    for (const length of [10, 10_000]) {
      const service = new Service();
      expect(service.feelOften(length, 1)).toBe(0);
      expect(service.feelOften(400, 0, { usage: 0 })).toBe(FIRST_RUNG);
    }
  });

  it("a rung that fails again and again is tried less and less often", () => {
    const service = new Service();
    const changes = (periods: number): number => {
      const from = service.changes;
      for (let i = 0; i < periods; i++) service.feel(service.rung > 5 ? 0.15 : 0);
      return service.changes - from;
    };
    const [early, late] = [changes(2000), (changes(10_000), changes(2000))];
    expect(early).toBeGreaterThan(4);
    // Once up, once down.
    expect(late).toBeLessThanOrEqual(4);
  });

  it("a rung that was too much in a busy hour is tried as any other once it has held", () => {
    const service = new Service();
    for (let i = 0; i < 10_000; i++) service.feel(service.rung > 5 ? 0.15 : 0);
    expect(service.feelOften(3 * PATIENCE_MAX, 0)).toBe(TOP_RUNG);
    expect(service.state?.failed).toBeUndefined();
  });
});

describe("several services", () => {
  const calm = { usage: 0.3, delay: 0, isShort: false };
  const at = (rung: number, rest: Partial<DelayState> = {}): DelayState => ({
    rung,
    calm: 0,
    debt: 0,
    patience: 100,
    ...rest,
  });

  it("the one that waits longest says how far; all go on from there", () => {
    const watches = [
      { slaDelay: 0.1, before: at(8), seen: { ...calm, delay: 0.11 } },
      { slaDelay: 0.1, before: at(8), seen: { ...calm, delay: 0.3 } },
    ];
    const { rung, next, loweredBy } = followDelay(watches, TOP_RUNG);
    expect([rung, loweredBy]).toEqual([6, 1]);
    expect(next.map((state) => state.rung)).toEqual([6, 6]);
  });

  it("one that is new brings the host to where it begins; one that cannot be read does not hold it up", () => {
    const known = { slaDelay: 0.1, before: at(8, { calm: 99 }), seen: calm };
    expect(followDelay([known, { slaDelay: 0.1, before: undefined, seen: calm }], TOP_RUNG).rung).toBe(
      FIRST_RUNG,
    );
    const silent = { slaDelay: 0.1, before: at(8, { calm: 5 }), seen: undefined };
    expect(followDelay([known, silent], TOP_RUNG).rung).toBe(9);
    expect(followDelay([silent], TOP_RUNG)).toMatchObject({ rung: 8, next: [{ calm: 5 }] });
  });
});
