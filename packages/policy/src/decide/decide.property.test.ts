import { describe, expect, it } from "@jest/globals";
import fc from "fast-check";
import { parseContract } from "../contracts/parse.ts";
import { planSchema } from "../contracts/plan.ts";
import type { GuestPlan, Plan } from "../contracts/plan.ts";
import type { Sample } from "../contracts/sample.ts";
import { settingsSchema } from "../settings.ts";
import type { Settings } from "../settings.ts";
import { hostStateSchema } from "../state.ts";
import type { HostState } from "../state.ts";
import { samplesArbitrary, settingsArbitrary, topologyArbitrary } from "../testing/arbitraries.ts";
import type { Decided } from "../testing/hosts.ts";
import type { Topology } from "../topology.ts";
import { decide } from "./decide.ts";
import { isSameHold } from "./hold.ts";
import { hadCpusAlone } from "./reasons.ts";
import { isExempt } from "./use.ts";

interface Step {
  sample: Sample;
  topology: Topology | undefined;
  before: HostState | undefined;
  decision: Decided;
}

/** Decides on one sample after the other; what is known of the topology may come late. */
function follow(samples: readonly Sample[], settings: Settings, known?: Topology, since = 0): Step[] {
  const steps: Step[] = [];
  let before: HostState | undefined;
  for (const [i, sample] of samples.entries()) {
    const topology = i < since ? undefined : known;
    const decision = decide(before, sample, settings, topology);
    if (decision.kind === "repeated") continue;
    steps.push({ sample, topology, before, decision });
    before = decision.next;
  }
  return steps;
}

/** Holds a property against every step of many random hosts, of either preset and many settings. */
function always(check: (step: Step, settings: Settings) => void): void {
  fc.assert(
    fc.property(
      samplesArbitrary,
      settingsArbitrary,
      fc.option(topologyArbitrary, { nil: undefined, freq: 3 }),
      fc.integer({ min: 0, max: 6 }),
      (samples, settings, topology, since) => {
        for (const step of follow(samples, settings, topology, since)) check(step, settings);
      },
    ),
    { numRuns: 150 },
  );
}

const managedOf = (sample: Sample): Sample["guests"] => sample.guests.filter((guest) => !isExempt(guest));

/** The managed guests of a step with their plans. */
function planned({ sample, decision }: Step): { guest: Sample["guests"][number]; plan: GuestPlan }[] {
  return managedOf(sample).map((guest) => {
    const plan = decision.plan.guests.find(({ uuid }) => uuid === guest.uuid);
    if (plan === undefined) throw new Error(`${guest.uuid} is not in the plan`);
    return { guest, plan };
  });
}

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

describe("whatever happens on a host", () => {
  it("every managed guest is in the plan exactly once, and else only those that could not be read", () => {
    always((step) => {
      const uuids = step.decision.plan.guests.map(({ uuid }) => uuid);
      expect(new Set(uuids).size).toBe(uuids.length);
      const managed = managedOf(step.sample).map(({ uuid }) => uuid);
      const unreadable = step.sample.unreadable.map(({ uuid }) => uuid);
      expect(uuids.slice(0, managed.length)).toEqual(managed);
      for (const uuid of uuids.slice(managed.length)) expect(unreadable).toContain(uuid);
    });
  });

  it("plan and state are what their contracts say", () => {
    always(({ decision: { plan, next } }) => {
      expect(parseContract(planSchema, JSON.stringify(plan), "plan")).toEqual(plan);
      expect(parseContract(hostStateSchema, JSON.stringify(next), "state")).toEqual(next);
    });
  });

  it("bandwidth lies between the minimum and one core", () => {
    always(({ decision }, settings) => {
      for (const { vcpus } of decision.plan.guests) {
        for (const { bandwidth } of vcpus) {
          if (typeof bandwidth !== "number") continue;
          expect(bandwidth).toBeGreaterThanOrEqual(settings.minimumVcpuCores);
          expect(bandwidth).toBeLessThanOrEqual(1);
        }
      }
    });
  });

  it("CPU sets lie inside the usable CPUs and inside the guest's pins", () => {
    always((step) => {
      for (const { vcpus, emulatorCpus, ioThreadCpus } of step.decision.plan.guests) {
        for (const set of [emulatorCpus, ioThreadCpus, ...vcpus.map((vcpu) => vcpu.cpus)]) {
          if (set !== "baseline") expect(step.sample.cpus).toEqual(expect.arrayContaining(set));
        }
      }
      for (const { guest, plan } of planned(step)) {
        for (const [i, { cpus }] of plan.vcpus.entries()) {
          const pins = guest.vcpus[i]?.allowedCpus ?? guest.allowedCpus;
          if (cpus !== "baseline" && pins !== undefined) expect(pins).toEqual(expect.arrayContaining(cpus));
        }
      }
    });
  });

  it("who has CPUs alone has them alone", () => {
    always((step) => {
      const { guests } = step.decision.plan;
      const alone = new Map(
        guests.flatMap((plan) => (hadCpusAlone(plan) ?? []).map((cpu) => [cpu, plan.uuid])),
      );
      for (const { uuid, vcpus } of guests) {
        for (const { cpus } of vcpus) {
          if (cpus === "baseline") continue;
          for (const cpu of cpus) expect(alone.get(cpu) ?? uuid).toBe(uuid);
        }
      }
      if (alone.size === 0) return;
      for (const { guest, plan } of planned(step)) {
        // Only what pins keep away from all the other CPUs is left as it was found.
        const open = step.sample.cpus.filter((cpu) => !alone.has(cpu));
        for (const [i, { cpus }] of plan.vcpus.entries()) {
          if (cpus !== "baseline") continue;
          const pins = guest.vcpus[i]?.allowedCpus ?? guest.allowedCpus;
          expect(open.filter((cpu) => pins?.includes(cpu) ?? true)).toEqual([]);
        }
      }
    });
  });

  it("who has CPUs alone has one a vCPU, and one CPU is left", () => {
    always(({ decision, sample }) => {
      const alone = decision.plan.guests.map((plan) => hadCpusAlone(plan)).filter((own) => own !== undefined);
      const own = alone.flat();
      expect(new Set(own).size).toBe(own.length);
      if (sample.unreadable.length === 0) expect(own.length).toBeLessThan(sample.cpus.length);
    });
  });

  it("quotas of scientific guests sum to at most what is available and their floors", () => {
    always((step, settings) => {
      if (settings.preset !== "paper") return;
      let given = 0;
      let floors = 0;
      let slack = 0.001;
      for (const { guest, plan } of planned(step)) {
        if (plan.class !== "scientific") continue;
        const most = Math.min(
          guest.vcpus.length,
          guest.allowedCpus?.length ?? Infinity,
          step.sample.cpus.length,
        );
        const quotas = plan.vcpus.map(({ bandwidth }) => (typeof bandwidth === "number" ? bandwidth : 1));
        given += Math.min(most, sum(quotas));
        floors += Math.max(guest.vcpus.length * settings.minimumVcpuCores, plan.slaCores ?? 0);
        slack += guest.vcpus.length * (settings.deadBandCores + 0.001);
      }
      expect(given).toBeLessThanOrEqual(step.decision.report.availableCores + floors + slack);
    });
  });

  it("a guest moves only with its count at 0, and counts stay within 0 and beta", () => {
    always(({ decision, before }, settings) => {
      for (const { uuid, movedFrom, count, class: list } of decision.report.guests) {
        expect(count).toBeGreaterThanOrEqual(0);
        expect(count).toBeLessThanOrEqual(settings.beta);
        const from = before?.guests[uuid]?.class ?? "service";
        if (movedFrom !== undefined) expect([count, movedFrom]).toEqual([0, from]);
        if (list !== "exempt") expect(decision.next.guests[uuid]).toMatchObject({ class: list, count });
      }
    });
  });

  it("a guest that could not be read keeps its list and its count", () => {
    always(({ decision, before, sample }) => {
      for (const { uuid, readable, class: list, count } of decision.report.guests) {
        const state = before?.guests[uuid];
        const declared = sample.guests.find((guest) => guest.uuid === uuid)?.declared.class ?? "auto";
        if (readable || list === "exempt" || declared !== "auto" || state === undefined) continue;
        expect({ list, count }).toEqual({ list: state.class, count: state.count });
      }
    });
  });

  it("one generation is one set of settings, and it never goes back", () => {
    always(({ decision: { plan, report }, before }) => {
      expect(plan.generation).toBe((before?.generation ?? 0) + Number(report.changed));
      if (!report.changed) expect(sameSettings(before?.plan, plan)).toBe(true);
    });
  });

  it("the report names everybody, with a reason", () => {
    always(({ decision, sample }) => {
      const reported = decision.report.guests.map(({ uuid }) => uuid);
      for (const { uuid } of [...sample.guests, ...decision.plan.guests]) expect(reported).toContain(uuid);
      for (const { reasons } of decision.report.guests) expect(reasons.length).toBeGreaterThan(0);
    });
  });
});

function sameSettings(before: Plan | undefined, now: Plan): boolean {
  return now.guests.every((guest) => {
    const other = before?.guests.find(({ uuid }) => uuid === guest.uuid);
    return other !== undefined && other.pid === guest.pid && isSameHold(other, guest);
  });
}

describe("decide", () => {
  it("gives the same for the same, and changes nothing that it was given", () => {
    always(({ sample, topology, before, decision }, settings) => {
      const given = JSON.stringify([sample, before, settings]);
      expect(decide(before, sample, settings, topology)).toEqual(decision);
      expect(JSON.stringify([sample, before, settings])).toBe(given);
    });
  });

  it("takes the state from a store as well as its own", () => {
    always(({ sample, topology, before, decision }, settings) => {
      const stored = before === undefined ? undefined : (JSON.parse(JSON.stringify(before)) as HostState);
      expect(decide(stored, sample, settings, topology)).toEqual(decision);
    });
  });

  it("does not depend on the order of the guests in a sample", () => {
    fc.assert(
      fc.property(samplesArbitrary, settingsArbitrary, topologyArbitrary, (samples, settings, topology) => {
        const turned = samples.map((sample) => ({ ...sample, guests: sample.guests.toReversed() }));
        const expected = follow(samples, settings, topology).map(({ decision }) => byGuest(decision));
        expect(follow(turned, settings, topology).map(({ decision }) => byGuest(decision))).toEqual(expected);
      }),
      { numRuns: 100 },
    );
  });

  it("is the same decision whatever a guest is called", () => {
    const settings = settingsSchema.parse({});
    fc.assert(
      fc.property(samplesArbitrary, fc.string({ minLength: 1 }), (samples, name) => {
        const named = samples.map((sample) => ({
          ...sample,
          guests: sample.guests.map((guest) => ({ ...guest, name })),
        }));
        const holds = (steps: Step[]): unknown[] =>
          steps.map(({ decision }) =>
            decision.plan.guests.map(({ uuid, vcpus, weight }) => [uuid, vcpus, weight]),
          );
        expect(holds(follow(named, settings))).toEqual(holds(follow(samples, settings)));
      }),
    );
  });
});

/** A decision without the order of its guests. */
function byGuest({ plan, report }: Decided): unknown {
  const sorted = <T extends { uuid: string }>(guests: readonly T[]): T[] =>
    guests.toSorted((a, b) => (a.uuid < b.uuid ? -1 : 1));
  return [
    { ...plan, guests: sorted(plan.guests) },
    { ...report, guests: sorted(report.guests) },
  ];
}
