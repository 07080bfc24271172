/** What the commands say of a classifier's answers. */
import { describe, expect, it } from "@jest/globals";
import { sumsBy } from "../api/exposition.ts";
import { EXEMPT, NOW, UUID, failedWrite, guest, host, pendingWrite } from "../testing/answers.ts";
import { frameLines } from "../top/frame.ts";
import { sorted, topRows } from "../top/rows.ts";
import { explanation } from "./explain.ts";
import { listsText } from "./lists.ts";
import { dryRunText, planText } from "./plan.ts";

const text = (lines: readonly string[]): string => lines.join("\n");
const writes = { host: "h1", generation: 2, applied: host.applied, guests: [] };
const entry = {
  uuid: UUID,
  name: "solver",
  class: "scientific" as const,
  reasons: [{ code: "x", text: "busy" }],
  writes: [],
  wouldWrite: [],
  skipped: null,
};

describe("explain", () => {
  it("tells what was seen, which rule, which write, and since when", () => {
    const said = text(explanation(guest, NOW));
    expect(said).toMatch(/It is in LIST_sc \(scientific, inferred from its use\) for 30 s, since /);
    expect(said).toContain("because: LIST_se to LIST_sc: used 0.40 of its vCPUs and wanted 1.00");
    expect(said).toContain("ran 99% of its vCPUs' time, waited 1%, wanted 100%");
    expect(said).toContain("does not count towards LIST_se; its crossing count is 1");
    expect(said).toContain(
      "bandwidth no limit; CPUs vCPU 0 2, vCPU 1 3; weight idle (below every service); emulator on CPUs 0-1",
    );
    expect(said).toContain("vcpu 0 bandwidth: 40000 -> -1 (cpu/x/cpu.cfs_quota_us)");
    expect(said).toContain("moved from LIST_se to LIST_sc (ran 40%, wanted 100%)");
  });

  it("shows control characters of a name, and never sends them to the terminal", () => {
    const said = explanation(guest, NOW);
    expect(said[0]).toContain("Guest so\\nlver");
    expect(said.every((line) => !line.includes("\n"))).toBe(true);
  });

  it("tells failures, and guests that are left alone", () => {
    const history = {
      ...guest.history,
      writes: [failedWrite],
      skipped: { reason: "restarted", atMs: NOW - 5000 },
    };
    const said = text(explanation({ ...guest, history }, NOW));
    expect(said).toContain("FAILED: EINVAL: invalid argument (cpu/x/cpu.cfs_quota_us, 3 times)");
    expect(said).toContain("NOT applied for 5.0 s: the actuator leaves it alone: restarted");
  });

  it("says of an exempt guest why nothing is written", () => {
    const report = host.report?.guests[1] ?? null;
    const said = text(explanation({ ...guest, uuid: EXEMPT, class: "exempt", report, plan: null }, NOW));
    expect(said).toMatch(/It is exempt.\n +because: dedicated guest/);
    expect(said).toMatch(/nothing of it is written/);
  });
});

describe("lists", () => {
  it("has the guests of both lists, the exempt ones and those that cannot be read", () => {
    const said = text(listsText([host], NOW));
    expect(said).toContain("Host h1 (node-1): plan 2, heard 0.4 s ago");
    expect(said).toMatch(/LIST_sc +so\\nlver +1 +99% +30 s +auto/);
    expect(said).toMatch(/exempt +db/);
    expect(said).toContain("unreadable: broken: no vCPU threads");
  });
});

describe("plan", () => {
  it("says how each guest is held, and why", () => {
    expect(text(planText(host))).toMatch(
      /plan 2, preset default; the actuator is at 2\n +so\\nlver \(LIST_sc\): bandwidth no limit/,
    );
  });

  it("says of a dry run what it would write, and why", () => {
    const applied = host.applied && { ...host.applied, dryRun: true, writes: 1 };
    const said = text(dryRunText({ ...writes, applied, guests: [{ ...entry, wouldWrite: [pendingWrite] }] }));
    expect(said).toMatch(
      /dry run: 1 values would be written\n +solver \(LIST_sc\):\n +vcpu 0 bandwidth: 40000 -> -1 .*\n +because: busy/,
    );
  });

  it("tells a plan that is in force from one that is not", () => {
    expect(text(dryRunText(writes))).toMatch(/in force: 6 values/);
    expect(text(dryRunText({ ...writes, generation: 3 }))).toMatch(/not applied yet: the actuator is at 2/);
    expect(text(dryRunText({ ...writes, applied: null }))).toMatch(/no actuator has reported/);
    const applied = host.applied && { ...host.applied, switchFired: "expired" };
    expect(text(dryRunText({ ...writes, applied }))).toMatch(/not in force: expired/);
  });
});

describe("top", () => {
  const look = (atMs: number, switches: number) => ({
    atMs,
    hosts: [host],
    counters: new Map([[`h1/${UUID}`, { switches, runSeconds: atMs / 1000 }]]),
    problems: ["http://x: ECONNREFUSED"],
  });

  it("makes rates of two looks, and none of one or of counters that went back", () => {
    const [row] = topRows(look(NOW, 100), look(NOW + 2000, 300));
    expect(row).toMatchObject({ switchesPerSecond: 100, cores: 1, vcpus: 2, bandwidth: "none", cpus: "2,3" });
    expect(topRows(undefined, look(NOW, 100))[0]).toMatchObject({ switchesPerSecond: null, cores: null });
    expect(topRows(look(NOW, 300), look(NOW + 2000, 100))[0]).toMatchObject({ switchesPerSecond: null });
  });

  it("sorts by every key, and back", () => {
    const rows = topRows(undefined, look(NOW, 1));
    expect(sorted(rows, "c", false).map((row) => row.class)).toEqual(["scientific", "exempt"]);
    expect(sorted(rows, "n", false).map(({ name }) => name)).toEqual(["db", "so\nlver"]);
    expect(sorted(rows, "u", true).map(({ name }) => name)).toEqual(["db", "so\nlver"]);
  });

  it("shows the table, and what is wrong above it", () => {
    const now = look(NOW + 10_000, 1);
    const said = text(
      frameLines(now, topRows(undefined, now), { sort: "c", isReversed: false, nowMs: now.atMs }),
    );
    expect(said).toContain(
      "1 host, 4 CPUs, 3.20 cores for scientific guests  LIST_se 0, LIST_sc 1, exempt 1",
    );
    expect(said).toContain("! node-1: no sample for 10 s");
    expect(said).toContain("! http://x: ECONNREFUSED");
    expect(said).toMatch(/so\\nlver +LIST_sc +1 +2 +99% +1% +- +2.00 +- +none +idle +2,3/);
  });
});

describe("a metrics page", () => {
  it("is summed by a label, whatever else is in it", () => {
    const page =
      '# HELP a b\na{uuid="x",vcpu="0"} 1\na{vcpu="1",uuid="x"} 2.5\na{uuid="y\\"z\\n"} 4\nab{uuid="x"} 9\na 7\nnonsense {';
    expect(sumsBy("uuid", ["a"], page).get("a")).toEqual(
      new Map([
        ["x", 3.5],
        ['y"z\n', 4],
      ]),
    );
  });
});

describe("an answer that is not complete", () => {
  const missing = ["1 of 2 other classifiers (a1) did not answer within 1000 ms"];
  const said = `not complete: ${missing[0]}`;

  it("is told as such by each command", () => {
    expect(text(explanation({ ...guest, missing }, NOW))).toContain(said);
    expect(text(listsText([{ ...host, missing }], NOW))).toContain(said);
    expect(text(planText({ ...host, missing }))).toContain(said);
    expect(text(dryRunText({ ...writes, missing }))).toContain(said);
    expect(text(explanation(guest, NOW))).not.toContain("not complete");
  });

  it("tells since when its classifier remembers", () => {
    const history = { ...guest.history, writes: [], decisions: [] };
    const at = text(explanation({ ...guest, history, knownSinceMs: NOW - 5000 }, NOW));
    expect(at).toMatch(/Written:\n +nothing since 20\S+ \S+, when its classifier took the host/);
    expect(text(explanation({ ...guest, history }, NOW))).toContain("nothing since this classifier started");
  });
});
