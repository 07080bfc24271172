import { describe, expect, it } from "@jest/globals";
import {
  BOOT,
  BUSY,
  HELD,
  OTHER_BOOT,
  QUIET,
  TestHost,
  cpus,
  cpusOf,
  guest,
  planOf,
  reasonCodes,
  reportOf,
  uuidOf,
} from "../testing/hosts.ts";
import { machine } from "../testing/topologies.ts";
import { Topology } from "../topology.ts";

const BETA = 5;

describe("promotion and demotion", () => {
  it.each([
    ["that gets all it wants", BUSY],
    ["that a quota below alpha holds (run 0.25, delay 0.75)", HELD],
  ])("promotes a busy guest %s within beta + 2 periods", (_, load) => {
    const host = new TestHost({ beta: BETA });
    host.run(20, [guest(1, QUIET), guest(2, QUIET)]);
    const after = host.ticksUntil(1, "scientific", [guest(1, load), guest(2, QUIET)]);
    expect(after).toBeLessThanOrEqual(BETA + 2);
    expect(after).toBeGreaterThan(BETA);
    expect(planOf(host.tick([guest(1, load), guest(2, QUIET)]), 2).class).toBe("service");
  });

  it("demotes it within beta + 2 periods of going quiet once it has cooled down, with the count at 0", () => {
    const host = new TestHost({ beta: BETA, coolDownMs: 20_000 });
    host.run(30, [guest(1, BUSY)]);
    const after = host.ticksUntil(1, "service", [guest(1, QUIET)]);
    expect(after).toBe(BETA + 1);
    expect(host.state?.guests[uuidOf(1)]).toMatchObject({ class: "service", count: 0 });
  });

  it("never promotes a 30% open-loop load that waits for a CPU (0.60 to 0.66 of run and delay)", () => {
    const host = new TestHost({ beta: BETA });
    for (const delay of [0.3, 0.36]) {
      expect(host.ticksUntil(1, "scientific", [guest(1, { run: 0.3, delay })])).toBeUndefined();
    }
  });

  it("does not take a scientific guest on a crowded host for idle", () => {
    const host = new TestHost({ beta: BETA });
    host.run(10, [guest(1, BUSY)]);
    expect(host.ticksUntil(1, "service", [guest(1, { run: 0.1, delay: 0.9 })])).toBeUndefined();
  });

  it("says who moved, why, and since when", () => {
    const host = new TestHost({ beta: BETA });
    const moved = host.run(BETA + 1, [guest(1, HELD)]);
    expect(reportOf(moved, 1)).toMatchObject({ movedFrom: "service", crossed: true, count: 0, usage: 0.25 });
    expect(planOf(moved, 1).since).toBe(moved.plan.sequence);
    expect(planOf(moved, 1).reasons[0]).toEqual({
      code: "moved-to-scientific",
      text:
        "LIST_se to LIST_sc: used 0.25 of its vCPUs and wanted 1.00, at or above alpha 0.7, " +
        "and crossed it more than beta 5 times",
    });
    const later = host.tick([guest(1, HELD)]);
    expect(planOf(later, 1).since).toBe(moved.plan.sequence);
    expect(planOf(later, 1).reasons).toEqual(planOf(moved, 1).reasons);
  });
});

describe("a guest that cannot be read", () => {
  const unknowns = [
    ["paused", guest(1, {}, { state: "paused" })],
    ["migrating", guest(1, {}, { state: "migrating" })],
    ["of unknown state", guest(1, {}, { state: "unknown" })],
    ["incomplete", guest(1, {}, { incomplete: true })],
  ] as const;

  it.each(unknowns)("(%s) keeps its count in LIST_se", (_, unknown) => {
    const host = new TestHost();
    host.run(3, [guest(1, BUSY)]);
    const decision = host.run(50, [unknown]);
    expect(reportOf(decision, 1)).toMatchObject({ readable: false, count: 3, crossed: false, usage: 1 });
    expect(planOf(host.run(3, [guest(1, BUSY)]), 1).class).toBe("scientific");
  });

  it.each(unknowns)("(%s) keeps its list and its plan in LIST_sc", (_, unknown) => {
    for (const preset of ["default", "paper"] as const) {
      const host = new TestHost({ preset }, { cpus: cpus(4) });
      const others = [guest(2, { run: 0.5, vcpus: 3 })];
      const before = host.run(20, [guest(1, { run: [1, 1, 0.4] }), ...others]);
      const now = host.run(20, [{ ...unknown, vcpus: guest(1, { vcpus: 3 }).vcpus }, ...others]);
      expect(planOf(now, 1)).toEqual(planOf(before, 1));
      expect(now.plan.generation).toBe(before.plan.generation);
    }
  });

  it("is still what it was declared", () => {
    const declared = { class: "scientific", source: "metadata" } as const;
    const decision = new TestHost().tick([guest(1, {}, { incomplete: true, declared })]);
    expect(planOf(decision, 1)).toMatchObject({ class: "scientific", weight: "idle" });
  });
});

describe("arrival, departure, restart", () => {
  it("begins in LIST_se", () => {
    const decision = new TestHost().tick([guest(1, BUSY)]);
    expect(planOf(decision, 1)).toMatchObject({ class: "service", count: 1, weight: "baseline" });
    expect(reasonCodes(decision, 1)).toEqual(["new", "no-sla"]);
  });

  it("forgets who left, in the plan and in the state", () => {
    const host = new TestHost();
    const before = host.run(8, [guest(1, BUSY), guest(2)]);
    const now = host.tick([guest(2)]);
    expect(now.plan.guests.map(({ uuid }) => uuid)).toEqual([uuidOf(2)]);
    expect(Object.keys(now.next.guests)).toEqual([uuidOf(2)]);
    expect(now.plan.generation).toBe(before.plan.generation + 1);
    expect(planOf(host.tick([guest(1), guest(2)]), 1)).toMatchObject({ class: "service", count: 0 });
  });

  it.each([{ pid: 7777 }, { startTime: 9999 }])(
    "gives a restarted guest a plan of its own (%j)",
    (identity) => {
      const host = new TestHost();
      const before = host.run(8, [guest(1, BUSY)]);
      const now = host.tick([guest(1, BUSY, identity)]);
      expect(planOf(now, 1)).toMatchObject({ class: "scientific", ...identity });
      expect(now.plan.generation).toBe(before.plan.generation + 1);
      expect(host.tick([guest(1, BUSY, identity)]).plan.generation).toBe(now.plan.generation);
    },
  );
});

describe("samples that are not new", () => {
  const host = new TestHost();
  host.run(8, [guest(1, BUSY)]);
  const { state } = host;

  it.each([
    ["repeated", {}],
    ["older", { sequence: 1 }],
    ["of an earlier boot", { bootId: OTHER_BOOT, wallTimeMs: 1_000_000, sequence: 9e15 }],
    ["of another boot at the same time", { bootId: OTHER_BOOT }],
  ])("(%s) change nothing", (_, rest) => {
    expect(host.feed(host.sample([guest(1, QUIET)], rest))).toEqual({ kind: "repeated", plan: state?.plan });
    expect(host.state).toBe(state);
  });

  it("of a later boot are new, although their sequence is smaller; lists stay, a new plan begins", () => {
    const rebooted = new TestHost();
    const before = rebooted.run(8, [guest(1, BUSY)]);
    const now = rebooted.tick([guest(1, BUSY)], { bootId: OTHER_BOOT, sequence: 5_000_000 });
    expect(now.plan).toMatchObject({
      bootId: OTHER_BOOT,
      sequence: 5_000_000,
      generation: before.plan.generation + 1,
    });
    expect(planOf(now, 1)).toMatchObject({ class: "scientific", since: 5_000_000 });
    expect(before.plan.bootId).toBe(BOOT);
  });
});

describe("declarations", () => {
  const service = { class: "service", source: "metadata" } as const;

  it("beat inference, in both directions and at once", () => {
    const host = new TestHost();
    expect(planOf(host.run(30, [guest(1, BUSY, { declared: service })]), 1).class).toBe("service");
    const scientific = { class: "scientific", source: "rule 3" } as const;
    const moved = host.tick([guest(1, QUIET, { declared: scientific })]);
    expect(reportOf(moved, 1)).toMatchObject({ class: "scientific", movedFrom: "service" });
    expect(planOf(moved, 1).reasons[0]?.text).toBe("LIST_sc: declared scientific by rule 3");
    expect(planOf(host.run(30, [guest(1, QUIET, { declared: scientific })]), 1).class).toBe("scientific");
  });

  it("are explained when they change although the list does not", () => {
    const host = new TestHost();
    host.run(3, [guest(1)]);
    const declared = host.tick([guest(1, QUIET, { declared: service })]);
    expect(planOf(declared, 1).reasons[0]?.code).toBe("declared");
    expect(planOf(host.tick([guest(1)]), 1).reasons[0]?.code).toBe("undeclared");
    expect(host.state?.plan?.generation).toBe(1);
  });

  it("explain an SLA as it is now", () => {
    const host = new TestHost();
    const promised = (slaCores: number): ReturnType<typeof guest> =>
      guest(1, QUIET, { declared: { ...service, slaCores } });
    host.run(3, [promised(0.5)]);
    expect(planOf(host.tick([promised(1.5)]), 1).reasons.at(-1)?.text).toBe("SLA: 1.50 cores");
  });

  it.each([
    ["declared exempt", { declared: { class: "exempt", source: "rule 1" } as const }],
    ["dedicated", { exemptReason: "dedicated" as const }],
  ])("(%s) take a guest out of plan and state; what it uses is not given away", (_, rest) => {
    const host = new TestHost({}, { cpus: cpus(8), hostRun: 0.5 });
    const spinner = guest(2, BUSY, { declared: { class: "scientific", source: "rule 2" } });
    host.run(3, [guest(1, { run: [1, 1, 1] }), spinner]);
    const now = host.tick([guest(1, { run: [1, 1, 1] }, { ...rest, otherRun: 0.25 }), spinner]);
    expect(now.plan.guests.map(({ uuid }) => uuid)).toEqual([uuidOf(2)]);
    expect(Object.keys(now.next.guests)).toEqual([uuidOf(2)]);
    expect(reportOf(now, 1)).toMatchObject({ class: "exempt", usage: 1 });
    expect(now.report.availableCores).toBe(8 - 0.5 - 0.25 - 3);
  });
});

describe("topology", () => {
  const solver = guest(2, { run: [1, 1, 1] }, { declared: { class: "scientific", source: "rule 2" } });
  const topology = new Topology(machine({ packages: 2, coresPerLlc: 4 }));

  it("gives a scientific guest CPUs that lie together, and a reason", () => {
    const host = new TestHost({}, { cpus: [0, 1, 2, 3, 6, 7] }, topology);
    const now = host.tick([solver]);
    expect(cpusOf(now, 2)).toEqual([[1], [2], [3]]);
    expect(reasonCodes(now, 2)).toContain("cpus-alone");
    expect(cpusOf(new TestHost({}, { cpus: [0, 1, 2, 3, 6, 7] }).tick([solver]), 2)).toEqual([[3], [6], [7]]);
  });

  it("moves it once when the topology comes late, and leaves it alone when that is away again", () => {
    const host = new TestHost({}, { cpus: [0, 1, 2, 3, 6, 7] });
    host.run(3, [solver]);
    host.topology = topology;
    const moved = host.tick([solver]);
    expect(moved.report.changed).toBe(true);
    expect(planOf(moved, 2).reasons.at(-1)?.text).toBe(
      "CPUs 1,2,3 to itself, one a vCPU, behind one last-level cache",
    );
    expect(host.tick([solver]).report.changed).toBe(false);
    host.topology = undefined;
    expect(host.run(3, [solver]).report.changed).toBe(false);
    expect(host.state?.generation).toBe(2);
  });

  it("keeps the CPUs of a dedicated guest for it, although it rests", () => {
    const host = new TestHost({}, { cpus: cpus(8) }, topology);
    const dedicated = guest(1, { run: [0, 0] }, { exemptReason: "dedicated", allowedCpus: [6, 7] });
    expect(cpusOf(host.tick([dedicated, solver]), 2)).toEqual([[1], [2], [3]]);
  });

  it("keeps a vCPU with pins of its own inside them", () => {
    const host = new TestHost({}, { cpus: cpus(8) }, topology);
    const apart = guest(1, {}, { declared: { class: "service", slaCores: 1, source: "rule 1" } });
    apart.vcpus = apart.vcpus.map((vcpu, i) => (i === 0 ? { ...vcpu, allowedCpus: [0, 7] } : vcpu));
    const now = host.tick([apart, solver]);
    expect(cpusOf(now, 2)).toEqual([[5], [6], [7]]);
    expect(cpusOf(now, 1)).toEqual([[0], [0, 1, 2, 3, 4]]);
  });
});

describe("two guests with one UUID", () => {
  it("are named; the first is managed, and what the second uses is not given away", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    const twin = guest(1, { run: [1, 1, 1] }, { name: "twin" });
    const decision = host.tick([guest(1, { run: 0.5 }), twin, guest(2)]);
    expect(decision.report.duplicates).toEqual([{ uuid: uuidOf(1), name: "twin" }]);
    expect(decision.plan.guests.map(({ name }) => name)).toEqual(["guest-1", "guest-2"]);
    expect(decision.report.availableCores).toBe(8 - 1 - 3);
  });
});
