import { describe, expect, it } from "@jest/globals";
import {
  BUSY,
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
import { hadCpusAlone } from "./reasons.ts";

describe("a guest that is named unreadable", () => {
  const unreadable = [{ uuid: uuidOf(1), name: "guest-1", reason: "no vCPU threads" }];
  const other = guest(2, QUIET);

  it("keeps state and plan, and is in the report with the reason", () => {
    const host = new TestHost();
    const before = host.run(8, [guest(1, BUSY), other]);
    const state = host.state?.guests[uuidOf(1)];
    const now = host.run(30, [other], { unreadable });
    expect(planOf(now, 1)).toEqual(planOf(before, 1));
    expect(now.plan.generation).toBe(before.plan.generation);
    expect(host.state?.guests[uuidOf(1)]).toEqual(state);
    expect(reportOf(now, 1)).toMatchObject({ class: "scientific", readable: false });
    expect(reportOf(now, 1).reasons.at(-1)?.text).toBe("kept as it was: no vCPU threads");
  });

  it("is known by its name where its UUID could not be read", () => {
    const host = new TestHost();
    host.run(8, [guest(1, BUSY), other]);
    const named = [{ name: "guest-1", reason: "XML cut short" }];
    expect(planOf(host.tick([other], { unreadable: named }), 1).class).toBe("scientific");
  });

  it("keeps the CPUs that it has alone from everybody else", () => {
    const host = new TestHost({}, { cpus: cpus(8) });
    const service = guest(2, QUIET, { declared: { class: "service", slaCores: 1, source: "rule 1" } });
    host.run(8, [guest(1, BUSY), service]);
    const now = host.run(8, [service, guest(3, BUSY)], { unreadable });
    expect(cpusOf(now, 1)).toEqual([[6], [7]]);
    for (const n of [2, 3]) {
      expect(cpusOf(now, n)).toEqual([cpus(6), cpus(6)]);
    }
    expect(reasonCodes(now, 3)).toContain("cpus-shared");
  });

  it("is planned on no CPU that went offline meanwhile", () => {
    const host = new TestHost();
    const service = guest(2, QUIET, { declared: { class: "service", slaCores: 1, source: "rule 1" } });
    const usable = (count: number): object => ({ cpus: cpus(count), unreadable });
    host.run(8, [guest(1, BUSY), service], { cpus: cpus(8) });
    const half = host.run(2, [service], usable(7));
    expect(cpusOf(half, 1)).toEqual([[6], cpus(6)]);
    expect(planOf(half, 1).emulatorCpus).toEqual(cpus(6));
    const none = host.run(2, [service], usable(6));
    expect(cpusOf(none, 1)).toEqual([cpus(6), cpus(6)]);
    expect(cpusOf(host.run(2, [service], usable(6)), 2)).toEqual(["baseline", "baseline"]);
  });

  it("has nothing alone any more where a single CPU is left to share", () => {
    const host = new TestHost();
    const service = guest(2, QUIET, { declared: { class: "service", slaCores: 0.5, source: "rule 1" } });
    host.run(8, [guest(1, { run: [1] }), service], { cpus: cpus(8) });
    expect(hadCpusAlone(host.state?.plan?.guests[0])).toEqual([7]);
    const left = host.run(2, [service], { cpus: [0], unreadable });
    expect(cpusOf(left, 1)).toEqual([[0]]);
    expect(hadCpusAlone(planOf(left, 1))).toBeUndefined();
    expect(cpusOf(left, 2)).toEqual(["baseline", "baseline"]);
  });

  it("does not bring an exempt guest of the same name back into the plan", () => {
    const host = new TestHost();
    host.run(2, [guest(1, BUSY), other]);
    const exempt = guest(1, BUSY, { declared: { class: "exempt", source: "rule 1" } });
    const now = host.tick([exempt, other], { unreadable: [{ name: "guest-1", reason: "another" }] });
    expect(now.plan.guests.map(({ uuid }) => uuid)).toEqual([uuidOf(2)]);
  });

  it("keeps its list but not its plan over a reboot: the process is gone", () => {
    const host = new TestHost();
    host.run(8, [guest(1, BUSY), other]);
    const now = host.tick([other], { unreadable, bootId: OTHER_BOOT });
    expect(now.plan.guests).toHaveLength(1);
    expect(planOf(host.tick([guest(1, BUSY), other], { bootId: OTHER_BOOT }), 1).class).toBe("scientific");
  });
});
