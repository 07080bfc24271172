import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Settings } from "../settings.ts";
import { BUSY, OTHER_BOOT, QUIET, TestHost, guest, planOf, reasonCodes, reportOf } from "../testing/hosts.ts";

const BETA = 2;
const SETTINGS = { beta: BETA, coolDownMs: 30_000 };

/** A host whose first guest was busy until it was moved. */
function moved(settings: Partial<Settings> = {}): TestHost {
  const host = new TestHost({ ...SETTINGS, ...settings });
  expect(host.ticksUntil(1, "scientific", [guest(1, BUSY)])).toBe(BETA + 1);
  return host;
}

describe("the cool-down", () => {
  it("does not keep a guest that is new from its first move", () => {
    moved({ coolDownMs: 86_400_000 });
  });

  it("keeps a guest in its list until it is over, and not a period longer", () => {
    const host = moved();
    const last = host.run(29, [guest(1, QUIET)]);
    expect(reportOf(last, 1)).toMatchObject({ class: "scientific", count: BETA, crossed: true, held: true });
    const next = host.tick([guest(1, QUIET)]);
    expect(reportOf(next, 1)).toMatchObject({ class: "service", count: 0, movedFrom: "scientific" });
    expect(reportOf(next, 1).held).toBeUndefined();
  });

  it("holds both ways", () => {
    const host = moved();
    expect(host.ticksUntil(1, "service", [guest(1, QUIET)])).toBe(30);
    expect(host.ticksUntil(1, "scientific", [guest(1, BUSY)])).toBe(30);
  });

  it("does not move a guest that crosses no more when it is over", () => {
    const host = moved();
    host.run(20, [guest(1, QUIET)]);
    expect(host.ticksUntil(1, "service", [guest(1, BUSY)], 60)).toBeUndefined();
  });

  it("is no part of preset paper", () => {
    expect(moved({ preset: "paper" }).ticksUntil(1, "service", [guest(1, QUIET)])).toBe(BETA + 1);
  });

  it("yields to a declaration, and does not follow one", () => {
    const host = moved();
    const declared = host.tick([guest(1, BUSY, { declared: { class: "service" } })]);
    expect(planOf(declared, 1).class).toBe("service");
    expect(host.ticksUntil(1, "scientific", [guest(1, BUSY)])).toBe(BETA + 1);
  });

  it("outlives periods in which the guest cannot be read", () => {
    const host = moved();
    host.run(5, [], { unreadable: [{ uuid: guest(1).uuid, name: "guest-1", reason: "gone from /proc" }] });
    expect(host.ticksUntil(1, "service", [guest(1, QUIET)])).toBe(25);
  });

  it("ends with the boot of the host: its clock began anew", () => {
    const host = moved();
    const booted = host.tick([guest(1, BUSY)], { bootId: OTHER_BOOT });
    expect(reasonCodes(booted, 1)[0]).toBe("known");
    const after = [1, 2, 3].map(() => host.tick([guest(1, QUIET)], { bootId: OTHER_BOOT }));
    expect(after.map((decision) => planOf(decision, 1).class)).toEqual([
      "scientific",
      "scientific",
      "service",
    ]);
  });
});

describe("whatever a guest does", () => {
  const loads = fc.array(fc.constantFrom(0, 0.3, 0.5, 0.69, 0.7, 1), { minLength: 20, maxLength: 150 });

  it("its counts move it at most once in a cool-down", () => {
    fc.assert(
      fc.property(loads, fc.constantFrom(0, 1, 3), (uses, beta) => {
        const host = new TestHost({ beta, coolDownMs: 20_000 });
        let lastMove = -Infinity;
        for (const run of uses) {
          const decision = host.tick([guest(1, { run })]);
          if (reportOf(decision, 1).movedFrom === undefined) continue;
          expect(host.ticks - lastMove).toBeGreaterThanOrEqual(20);
          lastMove = host.ticks;
        }
      }),
    );
  });

  it("between the thresholds nobody moves", () => {
    const between = fc.array(fc.double({ min: 0.4, max: 0.699, noNaN: true }), { maxLength: 60 });
    fc.assert(
      fc.property(between, fc.boolean(), (uses, startBusy) => {
        const host = new TestHost({ beta: 0, coolDownMs: 0 });
        host.run(3, [guest(1, startBusy ? BUSY : QUIET)]);
        for (const run of uses) expect(reportOf(host.tick([guest(1, { run })]), 1).movedFrom).toBeUndefined();
      }),
    );
  });
});
