import { describe, expect, it } from "@jest/globals";
import { planSchema } from "@kvm-governor/policy";
import type { GuestPlan, Plan } from "@kvm-governor/policy";
import { outOfBounds } from "./bounds.ts";
import { HostJudge } from "./host-judge.ts";
import type { Violation } from "./host-judge.ts";
import type { ArrivedPlan, SeenGuests } from "./messages.ts";
import { RecoveryWatch, recoveryRows } from "./recovery.ts";
import { StoreJudge, wrongLists } from "./store-judge.ts";
import type { StoredHost } from "./store-judge.ts";

const UUID = "00000000-0000-4000-8000-000000000001";
const OTHER = "00000000-0000-4000-8000-000000000002";
const at = (tick: number): number => tick * 1_000_000;
const guests = (count: number): SeenGuests => ({ [UUID]: { class: "service", count } });

/** A judge of a host whose guest was busy in ticks 1 to `ticks`, and what it found wrong. */
function judgeOf(ticks: number): { judge: HostJudge; wrong: Violation[] } {
  const wrong: Violation[] = [];
  const judge = new HostJudge("h", { beta: 100, planTtlUs: at(100) }, (violation) => wrong.push(violation));
  for (let tick = 1; tick <= ticks; tick++) {
    judge.sampled(at(tick), { [UUID]: "all" }, tick);
    judge.ledger.stored(at(tick));
  }
  return { judge, wrong };
}

const arrived = (generation: number, tick: number, more: Partial<ArrivedPlan> = {}): ArrivedPlan => ({
  generation,
  sequence: at(tick),
  guests: guests(tick),
  verdict: "accepted",
  held: `as ${generation}`,
  outOfBounds: [],
  ...more,
});

describe("HostJudge", () => {
  it("has nothing against plans in their order, repeated ones, and refused ones that are old", () => {
    const { judge, wrong } = judgeOf(3);
    judge.arrived(arrived(1, 1));
    judge.arrived(arrived(2, 2));
    judge.arrived(arrived(2, 2, { verdict: "repeated" }));
    judge.arrived(arrived(1, 1, { verdict: "refused" }));
    judge.arrived(arrived(2, 3));
    expect(wrong).toEqual([]);
    expect(judge.plans).toBe(3);
  });

  it.each([
    ["an older generation", arrived(1, 3), "older plan"],
    ["an older sample", arrived(2, 1, { held: "as 2" }), "older plan"],
    ["the generation of another plan", arrived(2, 3, { held: "otherwise" }), "generation"],
    ["a guest out of its bounds", arrived(3, 3, { outOfBounds: ["x: gets 9 cores"] }), "bounds"],
    ["a count that jumps", arrived(3, 3, { guests: guests(5) }), "counts"],
  ])("finds that %s is applied", (_what, plan, invariant) => {
    const { judge, wrong } = judgeOf(3);
    judge.arrived(arrived(2, 2));
    judge.arrived(plan);
    expect(wrong.map((violation) => violation.invariant)).toEqual([invariant]);
  });

  it("finds a plan that is published after a newer one", () => {
    const { judge, wrong } = judgeOf(3);
    judge.inBucket({ generation: 2, sequence: at(2), guests: guests(2) });
    judge.inBucket({ generation: 1, sequence: at(3), guests: guests(3) });
    expect(wrong).toMatchObject([{ invariant: "older plan", host: "h" }]);
  });
});

const record = (list: string, count = 1): Record<string, string> => ({ class: list, count: String(count) });
const stored = (tick: number, more: Partial<StoredHost> = {}): StoredHost => ({
  sequence: at(tick),
  service: [UUID],
  scientific: [],
  records: { [UUID]: record("service", tick) },
  ...more,
});

describe("lists in Redis", () => {
  it("are whole where each guest is in the one that its record names", () => {
    expect(wrongLists([UUID], stored(1))).toEqual([]);
  });

  it.each([
    ["a lost entry", { service: [] }, `${UUID} is in 0 lists`],
    ["an entry in both lists", { scientific: [UUID] }, `${UUID} is in 2 lists`],
    [
      "a record that says otherwise",
      { records: { [UUID]: record("scientific") } },
      `${UUID} is in the list service, its record says scientific`,
    ],
    ["an entry of no guest", { scientific: [OTHER] }, `${OTHER} is in a list and is no guest of this host`],
  ])("show %s", (_what, more, text) => expect(wrongLists([UUID], stored(1, more))).toEqual([text]));
});

describe("StoreJudge", () => {
  const store = (): StoreJudge => new StoreJudge();

  it("counts the ticks that a failover lost, and when they are there again", () => {
    const { judge, wrong } = judgeOf(6);
    const own = store();
    judge.arrived(arrived(1, 4));
    own.judge("h", [UUID], stored(4), judge, at(4));
    own.judge("h", [UUID], stored(2), judge, at(4));
    judge.arrived(arrived(1, 5));
    own.judge("h", [UUID], stored(5), judge, at(5));
    expect(own.lost).toEqual([{ host: "h", from: at(2), to: at(4), ticks: 2, healedAfterTicks: 1 }]);
    expect(wrong).toEqual([]);
  });

  it("finds lists that go on from what a failover left", () => {
    const { judge, wrong } = judgeOf(6);
    const own = store();
    judge.arrived(arrived(1, 4));
    own.judge("h", [UUID], stored(2), judge, at(4));
    own.judge("h", [UUID], stored(5, { records: { [UUID]: record("service", 3) } }), judge, at(4));
    expect(wrong.map(({ invariant, text }) => [invariant, text.startsWith("in Redis")])).toEqual([
      ["counts", true],
    ]);
  });

  it("finds what does not heal within two ticks, and what never does", () => {
    const slow = judgeOf(9);
    const own = store();
    slow.judge.arrived(arrived(1, 4));
    own.judge("h", [UUID], stored(2), slow.judge, at(4));
    for (const tick of [5, 6]) slow.judge.arrived(arrived(1, tick, { guests: guests(tick === 5 ? 2 : 9) }));
    own.judge("h", [UUID], stored(6, { records: { [UUID]: record("service", 9) } }), slow.judge, at(6));
    expect(slow.wrong.map(({ invariant }) => invariant)).toContain("healed");
    const never = judgeOf(9);
    const other = store();
    never.judge.arrived(arrived(1, 4));
    other.judge("h", [UUID], stored(2), never.judge, at(4));
    never.judge.arrived(arrived(1, 9));
    other.judge("h", [UUID], stored(2), never.judge, at(9));
    expect(never.wrong).toMatchObject([{ invariant: "healed" }]);
  });
});

describe("outOfBounds", () => {
  const guest = (more: Partial<GuestPlan> = {}): GuestPlan => ({
    uuid: UUID,
    name: "g",
    pid: 1,
    startTime: 1,
    class: "scientific",
    count: 0,
    since: 1,
    slaCores: 0.5,
    vcpus: [0, 1].map((index) => ({ index, bandwidth: 0.25, cpus: [0, 1] })),
    weight: "baseline",
    emulatorCpus: "baseline",
    ioThreadCpus: "baseline",
    reasons: [],
    ...more,
  });
  const planOf = (...all: GuestPlan[]): Plan =>
    planSchema.parse({
      schema: 1,
      host: "h",
      bootId: "0b5a7a0e-0001-4000-8000-000000000001",
      generation: 1,
      sequence: 1,
      expiresAtUs: 2,
      preset: "paper",
      guests: all,
    });
  const vcpus = (...bandwidths: GuestPlan["vcpus"][number]["bandwidth"][]): Pick<GuestPlan, "vcpus"> => ({
    vcpus: bandwidths.map((bandwidth, index) => ({ index, bandwidth, cpus: "baseline" })),
  });

  it("finds nothing where each has its floor", () => {
    expect(outOfBounds(planOf(guest()), 2, 0.05)).toEqual([]);
    expect(outOfBounds(planOf(guest(vcpus("unlimited", "baseline"))), 2, 0.05)).toEqual([]);
  });

  it.each([
    ["less than was promised", guest(vcpus(0.2, 0.2)), /gets 0.4 cores and is promised 0.5/],
    ["less than the least of a vCPU", guest(vcpus(0.04, 0.9)), /vcpu 0 gets 0.04 cores/],
    ["more than a vCPU can use", guest(vcpus(1.1, 0.1)), /vcpu 0 gets 1.1 cores/],
    ["a CPU that is not there", guest({ emulatorCpus: [2] }), /may run on CPU 2/],
    [
      "a cap on a service without an SLA",
      guest({ class: "service", slaCores: undefined, ...vcpus(0.9, 0.9) }),
      /a service without an SLA is capped/,
    ],
  ])("finds %s", (_what, wrong, text) => {
    const problems = outOfBounds(planOf(wrong), 2, 0.05);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toMatch(text);
  });

  it("finds a guest that is there twice", () => {
    expect(outOfBounds(planOf(guest(), guest()), 2, 0.05)).toEqual(["a guest is in the plan twice"]);
  });
});

describe("recovery", () => {
  it("ends with the first plan of each host on a sample from after the fault", () => {
    const watch = new RecoveryWatch(1000, ["a", "b"]);
    watch.plan("a", 900, 1100);
    watch.plan("a", 1200, 1300);
    watch.plan("a", 2200, 2300);
    expect(watch.waiting).toEqual(["b"]);
    watch.plan("b", 1500, 3000);
    expect(watch.isOver).toBe(true);
    expect([...watch.tookMs]).toEqual([
      ["a", 300],
      ["b", 2000],
    ]);
  });

  it("is a row a kind, in periods", () => {
    const hostsMs = (...times: number[]) => new Map(times.map((ms, n) => [`h${n}`, ms]));
    const recoveries = [
      { kind: "kill nats", target: "nats-1", hostsMs: hostsMs(500, 9000) },
      { kind: "kill classifier", target: "classifier-1", hostsMs: hostsMs(400, 600, 800) },
      { kind: "kill nats", target: "nats-2", hostsMs: hostsMs(1000) },
    ];
    expect(recoveryRows(recoveries, 1000)).toEqual([
      { kind: "kill classifier", faults: 1, median: 0.6, max: 0.8 },
      { kind: "kill nats", faults: 2, median: 1, max: 9 },
    ]);
  });
});
