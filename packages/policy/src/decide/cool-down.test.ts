import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import type { Settings } from "../settings.ts";
import { BUSY, OTHER_BOOT, QUIET, TestHost, guest, planOf, reasonCodes, reportOf } from "../testing/hosts.ts";

const BETA = 2;
const SETTINGS = { beta: BETA, coolDownMs: 30_000 };

/** A host whose first guest was busy until it was moved, and quiet until it was moved back. */
function returned(settings: Partial<Settings> = {}): TestHost {
  const host = new TestHost({ ...SETTINGS, ...settings });
  expect(host.ticksUntil(1, "scientific", [guest(1, BUSY)])).toBe(BETA + 1);
  expect(host.ticksUntil(1, "service", [guest(1, QUIET)])).toBe(BETA + 1);
  return host;
}

describe("the cool-down", () => {
  it("keeps no guest from its first move, nor from the way back", () => {
    returned({ coolDownMs: 86_400_000 });
  });

  it("keeps a guest that came back in LIST_se until it is over, and not a period longer", () => {
    const host = returned();
    const last = host.run(29, [guest(1, BUSY)]);
    expect(reportOf(last, 1)).toMatchObject({ class: "service", count: BETA, crossed: true, held: true });
    const next = host.tick([guest(1, BUSY)]);
    expect(reportOf(next, 1)).toMatchObject({ class: "scientific", count: 0, movedFrom: "service" });
    expect(reportOf(next, 1).held).toBeUndefined();
  });

  it("does not move a guest that crosses no more when it is over", () => {
    const host = returned();
    host.run(20, [guest(1, BUSY)]);
    expect(host.ticksUntil(1, "scientific", [guest(1, QUIET)], 60)).toBeUndefined();
  });

  it("is no part of preset paper", () => {
    expect(returned({ preset: "paper" }).ticksUntil(1, "scientific", [guest(1, BUSY)])).toBe(BETA + 1);
  });

  it("yields to a declaration, and does not follow one", () => {
    const host = returned();
    const declared = host.tick([guest(1, QUIET, { declared: { class: "scientific" } })]);
    expect(planOf(declared, 1).class).toBe("scientific");
    expect(host.ticksUntil(1, "service", [guest(1, QUIET)])).toBe(BETA + 1);
  });

  it("outlives periods in which the guest cannot be read", () => {
    const host = returned();
    host.run(5, [], { unreadable: [{ uuid: guest(1).uuid, name: "guest-1", reason: "gone from /proc" }] });
    expect(host.ticksUntil(1, "scientific", [guest(1, BUSY)])).toBe(25);
  });

  it("ends with the boot of the host: its clock began anew", () => {
    const host = returned();
    const booted = host.tick([guest(1, QUIET)], { bootId: OTHER_BOOT });
    expect(reasonCodes(booted, 1)[0]).toBe("known");
    const after = [1, 2, 3].map(() => host.tick([guest(1, BUSY)], { bootId: OTHER_BOOT }));
    expect(after.map((decision) => planOf(decision, 1).class)).toEqual(["service", "service", "scientific"]);
  });
});

describe("whatever a guest does", () => {
  const loads = fc.array(fc.constantFrom(0, 0.3, 0.5, 0.69, 0.7, 1), { minLength: 20, maxLength: 150 });

  it("its counts move it to LIST_sc at most once in a cool-down", () => {
    fc.assert(
      fc.property(loads, fc.constantFrom(0, 1, 3), (uses, beta) => {
        const host = new TestHost({ beta, coolDownMs: 20_000 });
        let lastReturn = -Infinity;
        for (const run of uses) {
          const decision = host.tick([guest(1, { run })]);
          const { movedFrom } = reportOf(decision, 1);
          if (movedFrom === "service") expect(host.ticks - lastReturn).toBeGreaterThanOrEqual(20);
          if (movedFrom === "scientific") lastReturn = host.ticks;
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
