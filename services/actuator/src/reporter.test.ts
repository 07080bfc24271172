import { describe, expect, it } from "@jest/globals";
import type { GuestPlan } from "@kvm-governor/policy";
import type { Logger } from "@kvm-governor/service-kit";
import { Registry } from "prom-client";
import type { GuestOutcome } from "./governed-guest.ts";
import { createMetrics } from "./metrics.ts";
import { Reporter } from "./reporter.ts";

const plan = (...texts: string[]): GuestPlan => ({
  uuid: "00000000-0000-4000-8000-000000000001",
  name: "solver",
  pid: 1,
  startTime: 1,
  class: "scientific",
  count: 0,
  since: 1,
  vcpus: [{ index: 0, bandwidth: "unlimited", cpus: [0] }],
  weight: "idle",
  emulatorCpus: "baseline",
  ioThreadCpus: "baseline",
  reasons: texts.map((text) => ({ code: "share", text })),
});

const CHANGES: GuestOutcome["changes"] = [
  { event: "quota-changed", target: "vcpu 0", old: "0.4 cores", new: "none" },
  { event: "weight-changed", target: "guest", old: "700", new: "idle" },
];

/** Lines that are logged of a guest's changes, by level. */
function said(
  guest: GuestPlan,
  changes: GuestOutcome["changes"],
): { info: [object, string][]; debug: [object, string][] } {
  const lines: ReturnType<typeof said> = { info: [], debug: [] };
  const log: Pick<Logger, "info" | "debug"> = {
    info: (fields: unknown, text?: unknown) => void lines.info.push([fields as object, String(text)]),
    debug: (fields: unknown, text?: unknown) => void lines.debug.push([fields as object, String(text)]),
  };
  const outcome = { verified: 1, drift: [], problems: [], results: [], writes: [], changes };
  new Reporter(log as Logger, createMetrics(new Registry())).applied(guest, outcome, false);
  return lines;
}

describe("what is said of a change", () => {
  it("is what changed, the first reason, and how many there are; all of them at debug", () => {
    const { info, debug } = said(plan("it is scientific", "2 CPUs are idle", "it wants both"), CHANGES);
    expect(info.map(([, text]) => text)).toEqual([
      "guest solver: quota of vcpu 0 0.4 cores -> none (it is scientific; 2 more)",
      "guest solver: weight of guest 700 -> idle (it is scientific; 2 more)",
    ]);
    expect(info[0]?.[0]).toMatchObject({ event: "quota-changed", reason: "it is scientific", reasons: 3 });
    expect(debug.map(([fields]) => fields)).toMatchObject([
      {
        event: "reasons",
        guest: "solver",
        reasons: ["it is scientific", "2 CPUs are idle", "it wants both"],
      },
    ]);
  });

  it("is complete with one reason or none, and nothing where nothing changed", () => {
    expect(said(plan("it is scientific"), CHANGES.slice(0, 1)).info[0]?.[1]).toMatch(
      / \(it is scientific\)$/,
    );
    expect(said(plan(), CHANGES.slice(0, 1)).info[0]?.[1]).toMatch(/ \(no reason given\)$/);
    expect(said(plan("it is scientific"), [])).toEqual({ info: [], debug: [] });
  });
});
