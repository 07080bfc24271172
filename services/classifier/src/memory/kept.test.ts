/** What is remembered in little is what it was: of any sample, report and state, also where one follows another. */
import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import {
  decide,
  guestSampleSchema,
  guestStateSchema,
  settingsSchema,
  vcpuSampleSchema,
} from "@kvm-governor/policy";
import type { GuestReport, GuestSample, HostState, Report, VcpuSample } from "@kvm-governor/policy";
import { guestSample, sampleOf } from "../testing/samples.ts";
import { KeptReports } from "./kept-reports.ts";
import { KeptSamples } from "./kept-samples.ts";
import { KeptState } from "./kept-state.ts";

const byUuid = (guests: readonly GuestSample[]): Map<string, GuestSample> =>
  new Map(guests.map((guest) => [guest.uuid, guest]));

const part = fc.double({ min: 0, max: 1, noNaN: true });
const cpus = fc
  .uniqueArray(fc.nat(15), { minLength: 1, maxLength: 4 })
  .map((list) => list.sort((a, b) => a - b));

const vcpu = (index: number): fc.Arbitrary<VcpuSample> =>
  fc.record(
    {
      index: fc.constantFrom(index, index, index + 1),
      run: part,
      delay: part,
      switches: fc.nat(5000),
      involuntaryPart: part,
      migrations: fc.nat(9),
      throttled: part,
      allowedCpus: cpus,
    },
    { noNullPrototype: true, requiredKeys: ["index", "run", "delay"] },
  );

const anyGuest = (n: number): fc.Arbitrary<GuestSample> =>
  fc.record(
    {
      uuid: fc.constant(guestSample(n, { run: 0 }).uuid),
      name: fc.constantFrom("one", "two"),
      pid: fc.constantFrom(7, 8),
      startTime: fc.constantFrom(1, 2),
      state: fc.constantFrom("running", "running", "paused"),
      declared: fc.constantFrom<GuestSample["declared"]>(
        { class: "auto" },
        { class: "auto", slaCores: 0.5, source: "rule 1" },
        { class: "service", slaCores: 1, slaDelay: 0.05 },
        { class: "scientific" },
        { class: "exempt" },
      ),
      exemptReason: fc.constantFrom<GuestSample["exemptReason"]>("dedicated", "realtime"),
      incomplete: fc.boolean(),
      allowedCpus: cpus,
      memoryNodes: fc.array(fc.record({ node: fc.nat(1), share: part }, { noNullPrototype: true }), {
        maxLength: 2,
      }),
      vcpus: fc
        .nat(2)
        .chain((last) => fc.tuple(vcpu(0), vcpu(2), vcpu(4)).map((all) => all.slice(0, last + 1))),
      otherRun: part,
    },
    {
      noNullPrototype: true,
      requiredKeys: ["uuid", "name", "pid", "startTime", "state", "declared", "vcpus", "otherRun"],
    },
  );

/** Samples of one host, in each of which any of its guests may be there, another, or be not readable. */
const anySamples = fc
  .array(
    fc.record({
      guests: fc.tuple(...[1, 2, 3, 4].map((n) => fc.option(anyGuest(n), { nil: undefined }))),
      unreadable: fc.subarray([1, 2, 3, 4]),
    }),
    { minLength: 1, maxLength: 6 },
  )
  .map((ticks) =>
    ticks.map(({ guests, unreadable }, tick) => {
      const read = guests.filter((guest) => guest !== undefined);
      const lost = unreadable.map((n) => ({
        uuid: guestSample(n, { run: 0 }).uuid,
        name: "lost",
        reason: "EIO",
      }));
      return sampleOf("h", tick + 1, read, { unreadable: lost });
    }),
  );

it("gives back any samples, reports and states as they were taken, one after the other", () => {
  const settings = settingsSchema.parse({ beta: 1 });
  fc.assert(
    fc.property(anySamples, (samples) => {
      const kept = { samples: new KeptSamples(), reports: new KeptReports(), state: new KeptState() };
      let state: HostState | undefined;
      for (const sample of samples) {
        const decision = decide(state, sample, settings);
        if (decision.kind !== "decided") throw new Error("a newer sample was not decided on");
        state = decision.next;
        kept.samples.take(sample.guests);
        kept.reports.take(decision.report.guests);
        kept.state.take(state);
        expect(kept.samples.guests()).toEqual(byUuid(sample.guests));
        expect(kept.reports.guests()).toEqual(decision.report.guests);
        expect(kept.state.read()).toEqual(state);
      }
    }),
    { numRuns: 200 },
  );
});

describe("KeptSamples", () => {
  const base = guestSample(1, { run: 0.25, vcpus: 2 });

  const [first, second] = base.vcpus;
  if (first === undefined || second === undefined) throw new Error("two vCPUs are needed");
  const changes: Record<string, Partial<GuestSample>> = {
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

  it("knows every field of the contract: one that it gets must be kept, and stand here", () => {
    expect(Object.keys(changes).sort()).toEqual(Object.keys(guestSampleSchema.shape).sort());
    expect(Object.keys(vcpuSampleSchema.shape).sort()).toEqual(
      [
        "index",
        "run",
        "delay",
        "switches",
        "involuntaryPart",
        "migrations",
        "throttled",
        "allowedCpus",
      ].sort(),
    );
  });

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
