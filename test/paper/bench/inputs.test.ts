/** What comes from outside: arguments, a state file, reports of load generators. */
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { LoadError, servedByPc, servedByWrk } from "./loads.ts";
import { OptionsError, readOptions } from "./options.ts";
import type { BenchState } from "./record.ts";
import { StateError, openState, saveState } from "./state.ts";

describe("options", () => {
  test("the short form is one round of two kernels, and writes no page unless asked to", () => {
    expect(readOptions(["--short"])).toMatchObject({
      rounds: 1,
      kernels: ["CG", "MG"],
      problem: "S",
      out: undefined,
    });
    expect(readOptions(["--short", "--out", "/tmp/x"]).out).toBe("/tmp/x");
    expect(readOptions([])).toMatchObject({ rounds: 5, kernels: ["EP", "CG", "MG", "FT", "IS", "LU"] });
  });

  test.each([
    [["--rounds", "0"], "--rounds"],
    [["--kernels", "EP,XX"], '"XX"'],
    [["--class", "D"], "--class"],
    [["--seconds", "no"], "--seconds"],
    [["--load", "huge"], "--load"],
    [["--nonsense"], "--nonsense"],
  ])("%j is refused by name", (args, named) => {
    expect(() => readOptions(args)).toThrow(OptionsError);
    expect(() => readOptions(args)).toThrow(named);
  });
});

describe("the state file", () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), "kvmgov-state-"));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  const { size, rounds, seed, kernels, problem, seconds, checkPeriodMs, beta } = readOptions(["--short"]);
  const fresh: BenchState = {
    options: { size, rounds, seed, kernels, problem, seconds, checkPeriodMs, beta },
    setting: { cpus: 2, accelerator: "tcg", image: "a" },
    startedAt: "2026-01-01T00:00:00Z",
    runs: [],
  };

  test("is gone on with by the same run only", () => {
    const file = path.join(dir, "state");
    expect(openState(file, fresh)).toBe(fresh);
    const run = { round: 0, arm: "alone" as const, kernels: [], services: [], restored: true };
    saveState(file, { ...fresh, runs: [run] });
    expect(openState(file, { ...fresh, startedAt: "later" })).toMatchObject({
      startedAt: fresh.startedAt,
      runs: [run],
    });
    const other = { ...fresh, setting: { ...fresh.setting, cpus: 4 } };
    expect(() => openState(file, other)).toThrow(/other setting/);
    writeFileSync(file, "{");
    expect(() => openState(file, fresh)).toThrow(StateError);
  });
});

describe("load generators", () => {
  test("wrk's and pc's reports are read", () => {
    const said =
      'Running 1s test\n{"requests":50,"microseconds":2000000,"p50":1500,"p99":20000,"errors":1}\n';
    expect(servedByWrk(said)).toEqual({ throughput: 25, p50Ms: 1.5, p99Ms: 20, errors: 1 });
    const pc = '{"done":20,"missed":3,"seconds":2,"p50Ms":21,"p99Ms":30,"maxMs":40,"sum":0}';
    expect(servedByPc(pc)).toEqual({ throughput: 10, p50Ms: 21, p99Ms: 30, errors: 3 });
  });

  test("one that did nothing is an error, not a zero", () => {
    expect(() => servedByWrk("unable to connect")).toThrow("wrk: unable to connect");
    expect(() => servedByWrk('{"requests":0,"microseconds":5,"p50":0,"p99":0,"errors":0}')).toThrow(
      LoadError,
    );
    expect(() => servedByPc("")).toThrow(LoadError);
    expect(() => servedByPc('{"done":0,"seconds":1}')).toThrow("pc did no work");
  });
});
