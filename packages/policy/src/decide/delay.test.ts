import { describe, expect, it } from "@jest/globals";
import type { GuestSample } from "../contracts/sample.ts";
import {
  BUSY,
  OTHER_BOOT,
  QUIET,
  TestHost,
  bandwidthOf,
  cpus,
  cpusOf,
  guest,
  planOf,
  reasonCodes,
  reportOf,
  uuidOf,
} from "../testing/hosts.ts";
import type { Decided, Load } from "../testing/hosts.ts";
import { EQUAL_RUNG, FIRST_RUNG, TOP_RUNG } from "./delay-ladder.ts";

const SOLVER = guest(1, BUSY, { declared: { class: "scientific", source: "metadata" } });
const web = (load: Load, declared: Partial<GuestSample["declared"]> = {}): GuestSample =>
  guest(
    2,
    { vcpus: 1, ...load },
    { declared: { class: "service", slaDelay: 0.1, source: "rule 1", ...declared } },
  );

const CALM = { run: 0.3, delay: 0.01 };
const LATE = { run: 0.3, delay: 0.25 };

const weight = (decision: Decided): unknown => planOf(decision, 1).weight;

describe("a service that declared a delay", () => {
  it("is in the plan with it, and is left as it was found", () => {
    const decision = new TestHost({}, { cpus: cpus(2) }).tick([SOLVER, web(CALM)]);
    expect(planOf(decision, 2)).toMatchObject({ slaDelay: 0.1, weight: "baseline" });
    expect(bandwidthOf(decision, 2)).toEqual(["baseline"]);
    expect(reportOf(decision, 2).slaDelay).toBe(0.1);
    expect(planOf(decision, 2).reasons.at(-1)).toEqual({
      code: "sla-delay",
      text: "slaDelay: may wait 0.1 of the time, in 99 of 100 periods",
    });
    expect(decision.report.delayRung).toBe(FIRST_RUNG);
  });

  it("changes nothing at first: scientific guests rank below it as ever", () => {
    const with_ = new TestHost({}, { cpus: cpus(8) }).tick([SOLVER, web(CALM)]);
    const without = new TestHost({}, { cpus: cpus(8) }).tick([SOLVER, guest(2, { vcpus: 1, ...CALM })]);
    expect(planOf(with_, 1)).toEqual(planOf(without, 1));
  });

  it("leaves scientific guests a weight as long as it waits no longer, and takes it back at once", () => {
    const host = new TestHost({}, { cpus: cpus(2) });
    const risen = host.run(250, [SOLVER, web(CALM)]);
    expect(weight(risen)).toBe(0.25);
    expect(planOf(risen, 1).reasons).toContainEqual({
      code: "rank",
      text: "weight 0.25 beside services: they wait no longer than they declared (slaDelay)",
    });
    const late = host.tick([SOLVER, web({ run: 0.3, delay: 0.12 })]);
    expect(weight(late)).toBe(0.125);
    expect(planOf(late, 1).reasons).toContainEqual({
      code: "rank",
      text: "weight 0.125 beside services: guest-2 waited 0.12 of a period, slaDelay is 0.1",
    });
    expect(weight(host.tick([SOLVER, web(LATE)]))).toBe("idle");
    expect(host.run(700, [SOLVER, web(CALM)]).report.delayRung).toBe(TOP_RUNG);
  });

  it("makes one plan of one change: periods that change nothing keep the generation", () => {
    const host = new TestHost({}, { cpus: cpus(2) });
    const first = host.tick([SOLVER, web(CALM)]);
    const later = host.run(2000, [SOLVER, web(CALM)]);
    expect(later.plan.generation).toBe(first.plan.generation + TOP_RUNG - FIRST_RUNG);
  });

  it("takes CPUs alone from scientific guests, then some of the host, where it waits although it ranks first", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    expect(cpusOf(host.tick([SOLVER, web(CALM)]), 1)).toEqual([[6], [7]]);
    expect(cpusOf(host.tick([SOLVER, web(LATE)]), 1)).toEqual([[6], [7]]);
    const shared = host.tick([SOLVER, web(LATE)]);
    expect(cpusOf(shared, 1)).toEqual(["baseline", "baseline"]);
    expect(planOf(shared, 1).reasons.at(-1)?.text).toBe(
      "no CPUs to itself: guest-2 waited 0.25 of a period, slaDelay is 0.1",
    );
    const capped = host.run(2, [SOLVER, web(LATE)]);
    expect(bandwidthOf(capped, 1)).toEqual([0.5, 0.5]);
    expect(planOf(capped, 1).reasons).toContainEqual({
      code: "delay-cap",
      text: "at most 0.50 of what it could have without services: guest-2 waited 0.25 of a period, slaDelay is 0.1",
    });
    expect(reportOf(capped, 1).entitlementCores).toBe(1);
    // And no further.
    expect(bandwidthOf(host.run(1000, [SOLVER, web(LATE)]), 1)).toEqual([0.5, 0.5]);
  });

  it("says when it cannot be held, for as long as that is so", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    expect(reportOf(host.run(3, [SOLVER, web(LATE)]), 2).reasons.map(({ code }) => code)).not.toContain(
      "delay-missed",
    );
    const missed = host.run(20, [SOLVER, web(LATE)]);
    expect(reportOf(missed, 2).reasons.at(-1)).toEqual({
      code: "delay-missed",
      text:
        "slaDelay cannot be held: waits more than 0.1 of the time in more than one of 100 periods, " +
        "with scientific guests at their least",
    });
    expect(reasonCodes(missed, 2)).not.toContain("delay-missed");
    const held = host.run(150, [SOLVER, web(CALM)]);
    expect(reportOf(held, 2).reasons.map(({ code }) => code)).not.toContain("delay-missed");
  });

  it("keeps a scientific guest's own promise above all that", () => {
    const promised = guest(1, BUSY, { declared: { class: "scientific", slaCores: 1.5, source: "metadata" } });
    const host = new TestHost({}, { cpus: cpus(4) });
    const before = host.tick([promised, web(CALM)]);
    const capped = host.run(20, [promised, web(LATE)]);
    expect(weight(capped)).toBe(weight(before));
    expect(bandwidthOf(capped, 1)).toEqual([0.75, 0.75]);
    const risen = host.run(1200, [promised, web(CALM)]);
    expect(weight(risen)).toBe(8);
  });
});

describe("who else is on the host", () => {
  const risen = (others: GuestSample[], settings = {}): unknown =>
    new TestHost(settings, { cpus: cpus(2) }).run(1000, [SOLVER, web(CALM), ...others]).report.delayRung;

  it("a service that declared nothing ranks first: nothing is risked for it", () => {
    expect(risen([])).toBe(TOP_RUNG);
    expect(risen([guest(3, QUIET)])).toBe(FIRST_RUNG);
  });

  it("an exempt guest is never worse off than without us", () => {
    expect(risen([guest(3, QUIET, { declared: { class: "exempt" } })])).toBe(EQUAL_RUNG);
  });

  it("a service that arrives brings the host to where it begins", () => {
    const host = new TestHost({}, { cpus: cpus(2) });
    host.run(1000, [SOLVER, web(CALM)]);
    const arrived = host.tick([
      SOLVER,
      web(CALM),
      guest(3, QUIET, { declared: { class: "service", slaDelay: 0.2 } }),
    ]);
    expect(weight(arrived)).toBe("idle");
  });

  it("a scientific guest that arrives begins below all services, and one that stands still teaches nothing", () => {
    const host = new TestHost({}, { cpus: cpus(2) });
    expect(host.run(1000, [web(CALM)]).report.delayRung).toBe(FIRST_RUNG);
    const idle = { ...SOLVER, vcpus: SOLVER.vcpus.map((vcpu) => ({ ...vcpu, run: 0 })) };
    expect(weight(host.run(1000, [idle, web(CALM)]))).toBe("idle");
    expect(weight(host.run(99, [SOLVER, web(CALM)]))).toBe("idle");
    expect(weight(host.tick([SOLVER, web(CALM)]))).toBe(0.125);
    expect(host.tick([web(CALM)]).report.delayRung).toBe(FIRST_RUNG);
    expect(weight(host.tick([SOLVER, web(CALM)]))).toBe("idle");
  });

  it("one that was inferred to be scientific is no service any more, and its declaration does not count", () => {
    const host = new TestHost({ beta: 2 }, { cpus: cpus(8) });
    const decision = host.run(5, [guest(2, BUSY, { declared: { class: "auto", slaDelay: 0.1 } })]);
    expect(planOf(decision, 2)).toMatchObject({ class: "scientific" });
    expect(planOf(decision, 2).slaDelay).toBeUndefined();
    expect(decision.report.delayRung).toBeUndefined();
    expect(host.state?.guests[uuidOf(2)]?.delay).toBeUndefined();
  });

  it("preset paper says that it does not hold a delay", () => {
    const decision = new TestHost({ preset: "paper" }, { cpus: cpus(2) }).run(50, [SOLVER, web(LATE)]);
    expect(weight(decision)).toBe("baseline");
    expect(planOf(decision, 2).reasons.at(-1)?.text).toMatch(/preset paper does not hold that$/);
    expect(decision.report.delayRung).toBeUndefined();
  });
});

describe("what is remembered", () => {
  const climbed = (): TestHost => {
    const host = new TestHost({}, { cpus: cpus(2) });
    host.run(250, [SOLVER, web(CALM)]);
    return host;
  };

  it.each([
    ["paused", { state: "paused" }],
    ["incomplete", { incomplete: true }],
  ] as const)("stays while the service is %s", (_, rest) => {
    const host = climbed();
    expect(weight(host.run(200, [SOLVER, { ...web(LATE), ...rest }]))).toBe(0.25);
  });

  it("stays while the service cannot be read at all", () => {
    const host = climbed();
    const unreadable = [{ uuid: uuidOf(2), name: "guest-2", reason: "no vCPU threads" }];
    expect(weight(host.run(200, [SOLVER], { unreadable }))).toBe(0.25);
    expect(weight(host.tick([SOLVER, web(CALM)]))).toBe(0.25);
  });

  it("is forgotten with the declaration, and a declaration that changes is said anew", () => {
    const host = climbed();
    const other = host.tick([SOLVER, web(CALM, { slaDelay: 0.5 })]);
    expect(planOf(other, 2).reasons.at(-1)?.text).toContain("may wait 0.5");
    expect(weight(other)).toBe(0.25);
    const plain = host.tick([SOLVER, guest(2, { vcpus: 1, ...CALM }, { declared: { class: "service" } })]);
    expect(weight(plain)).toBe("idle");
    expect(planOf(plain, 2).slaDelay).toBeUndefined();
    expect(host.state?.guests[uuidOf(2)]?.delay).toBeUndefined();
    expect(weight(host.tick([SOLVER, web(CALM)]))).toBe("idle");
  });

  it("outlives a boot of the host: the load is the same", () => {
    expect(weight(climbed().tick([SOLVER, web(CALM)], { bootId: OTHER_BOOT }))).toBe(0.25);
  });
});
