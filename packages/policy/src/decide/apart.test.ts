/** One CPU a vCPU, shared with services: who is held so, who is let go, and when. */
import { describe, expect, it } from "@jest/globals";
import type { GuestSample } from "../contracts/sample.ts";
import { BUSY, TestHost, cpus, cpusOf, guest, reasonCodes } from "../testing/hosts.ts";

const SCIENTIFIC = { declared: { class: "scientific" } } as const;
const BASELINE = ["baseline", "baseline"];
const APART = [[0], [1]];

const solver = guest(1, BUSY, SCIENTIFIC);
const web = (run: number): GuestSample => guest(2, { vcpus: 1, run }, { declared: { class: "service" } });
/** One vCPU waits for the CPU of a service, the other waits for it at a barrier. */
const starving = guest(
  1,
  {},
  {
    ...SCIENTIFIC,
    vcpus: [
      { index: 0, run: 0.05, delay: 0.95 },
      { index: 1, run: 1, delay: 0 },
    ],
  },
);

const host = (count = 2): TestHost => new TestHost({}, { cpus: cpus(count) });

describe("a scientific guest with as many vCPUs as CPUs", () => {
  it("has one CPU a vCPU, which it shares, and the plan says so", () => {
    const decision = host().tick([solver, web(0.3)]);
    expect(cpusOf(decision, 1)).toEqual(APART);
    expect(cpusOf(decision, 2)).toEqual(["baseline"]);
    expect(reasonCodes(decision, 1)).toContain("cpus-apart");
  });

  it("has not in preset paper, which does not place", () => {
    const paper = new TestHost({ preset: "paper" }, { cpus: cpus(2) });
    expect(cpusOf(paper.tick([solver, web(0.3)]), 1)).toEqual(BASELINE);
  });

  it("is left to the kernel where it has fewer vCPUs than CPUs, or more", () => {
    const busyHost = [solver, guest(2, { vcpus: 3, run: 0.3 })];
    expect(cpusOf(host(3).tick(busyHost), 1)).toEqual(BASELINE);
    const wide = guest(1, { vcpus: 3, run: 1 }, SCIENTIFIC);
    expect(cpusOf(host().tick([wide]), 1)).toEqual(["baseline", "baseline", "baseline"]);
  });

  it("counts the CPUs that its own configuration pins it to, and leaves pins of single vCPUs alone", () => {
    const pinned = { ...solver, allowedCpus: [2, 3] };
    const services = guest(2, { vcpus: 4, run: 0.1 });
    expect(cpusOf(host(4).tick([pinned, services]), 1)).toEqual([[2], [3]]);
    const single = solver.vcpus.map((vcpu, i) => (i === 0 ? { ...vcpu, allowedCpus: [0] } : vcpu));
    expect(cpusOf(host().tick([{ ...solver, vcpus: single }, web(0.1)]), 1)).toEqual(BASELINE);
  });

  it("is not begun with while others leave too little room: one busy vCPU, or half of the host", () => {
    expect(cpusOf(host().tick([solver, web(0.7)]), 1)).toEqual(BASELINE);
    expect(cpusOf(host().tick([solver, web(0.55), { ...web(0.5), uuid: guest(3).uuid }]), 1)).toEqual(
      BASELINE,
    );
    expect(cpusOf(host().tick([solver], { hostRun: 1.1 }), 1)).toEqual(BASELINE);
    const exempt = guest(3, { vcpus: 1, run: 0.9 }, { declared: { class: "exempt" } });
    expect(cpusOf(host().tick([solver, exempt]), 1)).toEqual(BASELINE);
  });

  it("stays so while services are busy for a moment, as long as none of its vCPUs starves", () => {
    const one = host();
    one.tick([solver, web(0.3)]);
    const decision = one.tick([guest(1, { run: 0.5, delay: 0.5 }, SCIENTIFIC), web(0.9)]);
    expect(cpusOf(decision, 1)).toEqual(APART);
    expect(decision.report.changed).toBe(false);
  });

  it("stays so where all of its vCPUs wait alike: any CPU would be no better", () => {
    const one = host();
    one.tick([solver, web(0.3)]);
    expect(cpusOf(one.tick([guest(1, { run: 0.1, delay: 0.9 }, SCIENTIFIC), web(1)]), 1)).toEqual(APART);
  });
});

describe("a guest of which one vCPU starves", () => {
  function starved(): TestHost {
    const one = host();
    one.tick([solver, web(0.3)]);
    const decision = one.tick([starving, web(1)]);
    expect(cpusOf(decision, 1)).toEqual(BASELINE);
    expect(reasonCodes(decision, 1)).toContain("cpus-starved");
    return one;
  }

  it("is let go at once", () => {
    expect(starved().ticks).toBe(2);
  });

  it("is held apart through a burst that takes a CPU for some short periods, and let go after a second of it", () => {
    const one = new TestHost({ checkPeriodMs: 100 }, { cpus: cpus(2), periodMs: 100 });
    one.tick([solver, web(0.3)]);
    for (let burst = 0; burst < 3; burst++) {
      for (let tick = 0; tick < 9; tick++) expect(cpusOf(one.tick([starving, web(1)]), 1)).toEqual(APART);
      expect(cpusOf(one.tick([solver, web(0)]), 1)).toEqual(APART);
    }
    const ticks = [];
    while (ticks.length < 12) ticks.push(cpusOf(one.tick([starving, web(1)]), 1)[0] === "baseline" ? 0 : 1);
    expect(ticks).toEqual([1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0]);
  });

  it("is held apart again, at the next full minute of periods, where there is room", () => {
    const one = starved();
    const ticks = [];
    while (ticks.length < 130) ticks.push(cpusOf(one.tick([solver, web(0.3)]), 1)[0] === "baseline" ? 0 : 1);
    const from = ticks.indexOf(1);
    expect(from).toBeGreaterThan(0);
    expect(from).toBeLessThanOrEqual(60);
    expect(ticks.slice(from)).not.toContain(0);
  });

  it("is not while there is none", () => {
    const one = starved();
    for (let tick = 0; tick < 130; tick++) expect(cpusOf(one.tick([solver, web(1)]), 1)).toEqual(BASELINE);
  });

  it("loses at most one period in sixty to a load that comes and goes", () => {
    const one = host();
    let lost = 0;
    for (let tick = 0; tick < 600; tick++) {
      // Quiet whenever it is looked at, and busy in every period in which the guest is held apart.
      const isApart = one.state?.plan?.guests.some(({ reasons }) =>
        reasons.some(({ code }) => code === "cpus-apart"),
      );
      if (isApart) lost += 1;
      one.tick(isApart ? [starving, web(1)] : [solver, web(0.3)]);
    }
    expect(lost).toBeGreaterThan(2);
    expect(lost).toBeLessThanOrEqual(11);
  });
});
