/** What is remembered in little is what it was: of any sample, report and state, also where one follows another. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { decide, guestSampleSchema, guestStateSchema, settingsSchema } from "@kvm-governor/policy";
import type { GuestReport, GuestSample, HostState, Report } from "@kvm-governor/policy";
import { samplesArbitrary, settingsArbitrary } from "../../../../packages/policy/src/testing/arbitraries.ts";
import { guestSample, sampleOf } from "../testing/samples.ts";
import { KeptReports } from "./kept-reports.ts";
import { KeptSamples } from "./kept-samples.ts";
import { KeptState } from "./kept-state.ts";

const byUuid = (guests: readonly GuestSample[]): Map<string, GuestSample> =>
  new Map(guests.map((guest) => [guest.uuid, guest]));

it("gives back any samples, reports and states as they were taken, one after the other", () => {
  fc.assert(
    fc.property(samplesArbitrary, settingsArbitrary, (samples, settings) => {
      const kept = { samples: new KeptSamples(), reports: new KeptReports(), state: new KeptState() };
      let state: HostState | undefined;
      for (const sample of samples) {
        const decision = decide(state, sample, settings);
        if (decision.kind !== "decided") continue;
        state = decision.next;
        kept.samples.take(sample.guests);
        kept.reports.take(decision.report.guests);
        kept.state.take(state);
        expect(kept.samples.guests()).toEqual(byUuid(sample.guests));
        expect(kept.reports.guests()).toEqual(decision.report.guests);
        expect(kept.state.read()).toEqual(state);
      }
    }),
    { numRuns: 300 },
  );
});

describe("KeptSamples", () => {
  const base = guestSample(1, { run: 0.25, vcpus: 2 });

  const [first, second] = base.vcpus;
  if (first === undefined || second === undefined) throw new Error("two vCPUs are needed");
  const changes: { [field in keyof typeof guestSampleSchema.shape]: Partial<GuestSample> } = {
    uuid: { uuid: guestSample(2, { run: 0 }).uuid },
    name: { name: "other" },
    pid: { pid: 1 },
    startTime: { startTime: 1 },
    state: { state: "paused" },
    declared: { declared: { class: "service", slaCores: 1, slaDelay: 0.5, source: "rule 2" } },
    exemptReason: { exemptReason: "realtime" },
    incomplete: { incomplete: true },
    allowedCpus: { allowedCpus: [1, 3] },
    memoryNodes: { memoryNodes: [{ node: 0, share: 0.5 }] },
    vcpus: { vcpus: [first] },
    otherRun: { otherRun: 0.5 },
  };

  // By name: a field that the contract gets must be added here, and kept.
  it.each(Object.entries(changes))("notices that %s changed, and that it is as before again", (_, change) => {
    const kept = new KeptSamples();
    for (const guest of [base, { ...base, ...change }, base]) {
      kept.take([guest]);
      expect(kept.guests()).toEqual(byUuid([guest]));
    }
  });

  it.each([
    [
      "a source",
      { declared: { class: "auto", source: "rule 1" } },
      { declared: { class: "auto", source: "rule 2" } },
    ],
    [
      "a share of memory",
      { memoryNodes: [{ node: 0, share: 1 }] },
      { memoryNodes: [{ node: 0, share: 0.5 }] },
    ],
    ["the number of a vCPU", {}, { vcpus: [first, { ...second, index: 2 }] }],
    ["the pins of a vCPU", {}, { vcpus: [first, { ...second, allowedCpus: [1] }] }],
    ["a figure that is not known", {}, { vcpus: [first, { index: 1, run: 0.5, delay: 0.5 }] }],
    [
      "all figures",
      {},
      { vcpus: [first, { ...second, switches: 0, involuntaryPart: 0.1, migrations: 3, throttled: 0.2 }] },
    ],
  ] as [string, Partial<GuestSample>, Partial<GuestSample>][])("keeps %s", (_what, before, after) => {
    const kept = new KeptSamples();
    for (const guest of [
      { ...base, ...before },
      { ...base, ...after },
    ]) {
      kept.take([guest]);
      expect(kept.guests()).toEqual(byUuid([guest]));
    }
  });

  it("forgets guests that are gone", () => {
    const kept = new KeptSamples();
    kept.take([base, guestSample(2, { run: 0 })]);
    kept.take([guestSample(2, { run: 0.5 })]);
    expect(kept.guests()).toEqual(byUuid([guestSample(2, { run: 0.5 })]));
  });
});

describe("KeptReports", () => {
  it("keeps every field, and the lack of it", () => {
    const decision = decide(
      undefined,
      sampleOf("h", 1, [guestSample(1, { run: 0.5 })]),
      settingsSchema.parse({}),
    );
    const [plain] = (decision as { report: Report }).report.guests;
    if (plain === undefined) throw new Error("not decided");
    const full: GuestReport = {
      ...plain,
      class: "exempt",
      readable: false,
      crossed: true,
      movedFrom: "scientific",
      held: true,
      slaDelay: 0.1,
      count: 3,
    };
    const kept = new KeptReports();
    for (const guests of [[plain], [full], [{ ...plain, movedFrom: "service" as const }, full], [plain]]) {
      kept.take(guests);
      expect(kept.guests()).toEqual(guests);
    }
  });
});

describe("KeptState", () => {
  const guest = { name: "g", class: "service", count: 1, since: 5, declared: "auto", usage: 0.5 } as const;
  const [uuid, other] = [guestSample(1, { run: 0 }).uuid, guestSample(2, { run: 0 }).uuid];
  const head = { bootId: "0b5a7a0e-0001", sequence: 9, wallTimeMs: 7, generation: 0 };

  it.each([
    ["without a plan", { ...head, guests: { [uuid]: guest, [other]: guest } }],
    ["without guests", { ...head, guests: {} }],
    [
      "with a delay and what starved",
      {
        ...head,
        guests: { [uuid]: { ...guest, starvedUs: 4, delay: { rung: 3, calm: 1, debt: 0, patience: 5 } } },
      },
    ],
  ] as [string, HostState][])("gives back one %s", (_, state) => {
    const kept = new KeptState();
    expect(kept.read()).toBeUndefined();
    kept.take(state);
    expect(kept.read()).toEqual(state);
    kept.take(undefined);
    expect(kept.read()).toBeUndefined();
  });

  it("knows every field of a guest", () => {
    expect(Object.keys(guestStateSchema.shape).sort()).toEqual(
      ["class", "count", "declared", "delay", "name", "since", "starvedUs", "usage"].sort(),
    );
  });
});
